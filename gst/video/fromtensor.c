/* fromtensor.c - an image network's output over the frame, mixed with it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "controls.h"
#include "frames.h"
#include "paint.h"

struct VideoFromTensor {
    OclDevice *device;
    GstVideoInfo out;
    guint max_frames;
    cl_float16 matrix;
    OclKernel *kernel;
    VideoControlsTable *controls;
    VideoPaint *paint;
};

VideoFromTensor *video_from_tensor_new(OclDevice *device, const GstVideoInfo *in,
                                       const GstVideoInfo *out, const VideoModelInfo *info,
                                       guint max_frames, const NnPlace *place, GError **error)
{
    g_autoptr(VideoFromTensor) self = g_new0(VideoFromTensor, 1);
    self->device = ocl_device_ref(device);
    self->out = *out;
    self->max_frames = max_frames;
    VideoMatrix to = video_matrix_to_rgb(in), from = video_matrix_from_rgb(out);
    VideoMatrix matrix = video_matrix_join(&to, &from);
    self->matrix = video_matrix_argument(&matrix);
    self->controls = video_controls_table_new(device, max_frames, error);
    if (!self->controls)
        return NULL;
    self->paint =
        video_paint_new(device, out, info, info->out_std, info->out_mean, max_frames, place, error);
    if (!self->paint)
        return NULL;
    g_autofree char *defines = video_picture_defines(in, out);
    self->kernel = video_kernel_new(device, "video_compose.cl", "video_mix", error,
                                    "-DFOREGROUND=0%s", defines);
    return self->kernel ? g_steal_pointer(&self) : NULL;
}

void video_from_tensor_free(VideoFromTensor *self)
{
    if (!self)
        return;
    ocl_kernel_free(self->kernel);
    video_controls_table_free(self->controls);
    video_paint_free(self->paint);
    ocl_device_unref(self->device);
    g_free(self);
}

gboolean video_from_tensor_run(VideoFromTensor *self, OclQueue *compute, const VideoFrames *in,
                               const VideoFrames *out, guint n_frames, const NnPlace *place,
                               const float *blend, GError **error)
{
    g_return_val_if_fail(n_frames <= self->max_frames, FALSE);
    for (guint i = 0; i < n_frames; i++) {
        const VideoFrameControls frame = { .blend = CLAMP(blend[i], 0, 1) };
        if (!video_controls_table_set(self->controls, compute, i, &frame, error))
            return FALSE;
    }
    if (!video_paint_run(self->paint, compute, n_frames, place, error))
        return FALSE;
    cl_mem src = video_frames_memory(in), dst = video_frames_memory(out);
    cl_mem controls = video_controls_table_memory(self->controls);
    cl_mem paint = video_paint_memory(self->paint);
    const VideoSheet sheet = video_paint_sheet(self->paint);
    const cl_float16 paint_matrix = video_paint_matrix(self->paint);
    const VideoPicture *picture = &video_frames_layout(out)->picture;
    const VideoArgument arguments[] = {
        VIDEO_ARG(src),          VIDEO_ARG(video_frames_layout(in)->picture),
        VIDEO_ARG(dst),          VIDEO_ARG(*picture),
        VIDEO_ARG(self->matrix), VIDEO_ARG(controls),
        VIDEO_ARG(paint),        VIDEO_ARG(sheet),
        VIDEO_ARG(paint_matrix),
    };
    return video_launch(compute, self->kernel, arguments, G_N_ELEMENTS(arguments),
                        video_strips(self->device, (guint)picture->width),
                        video_row_groups(&self->out), n_frames, error);
}
