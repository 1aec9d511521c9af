/* facemask.c - which parts of restored faces are pasted, by a network that tells them apart.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "facemask.h"

/* ParseNet's classes: background, hat and clothes; hair, ears and neck are the face's. */
#define PARSENET_CLASSES 19
#define PARSENET_LEFT_OUT (1u << 0 | 1u << 14 | 1u << 18)

struct VideoFaceParser {
    OclDevice *device;
    NnSlot *slot;
    NnPlace input, output;
    VideoMap in_map, out_map;
    VideoChannels channels;
    cl_uint left_out; /* a bit for each class */
    OclKernel *feed, *parts, *blur;
    cl_mem parted, blurred; /* [max_samples][height][width] float */
    cl_mem masks;
};

static gboolean check_tensors(VideoFaceParser *self, GError **error)
{
    const VideoMap *in = &self->in_map, *out = &self->out_map;
    self->left_out = out->c == PARSENET_CLASSES ? PARSENET_LEFT_OUT : 1u << 0;
    if (in->c == 3 && (out->c == PARSENET_CLASSES || out->c == 1 || out->c == 2) &&
        (gint64)in->w * out->h == (gint64)in->h * out->w)
        return TRUE;
    g_set_error(
        error, NN_ERROR, NN_ERROR_INPUT,
        "a network that tells the parts of a face apart takes 3 channels and gives %d, 2 or 1 of "
        "the same shape, not %d x %d with %d and %d x %d with %d",
        PARSENET_CLASSES, in->w, in->h, in->c, out->w, out->h, out->c);
    return FALSE;
}

static gboolean build_kernels(VideoFaceParser *self, GError **error)
{
    const VideoTensorKernel kernels[] = {
        { &self->feed, "face_feed", self->input.type },
        { &self->parts, "face_parts", self->output.type },
        { &self->blur, "face_blur", self->output.type },
    };
    return video_tensor_kernels_new(self->device, "video_face.cl", kernels, G_N_ELEMENTS(kernels),
                                    error);
}

static gsize mask_b(const VideoFaceParser *self)
{
    return sizeof(float) * self->out_map.w * self->out_map.h;
}

VideoFaceParser *video_face_parser_new(OclDevice *device, const VideoFaceNetwork *network,
                                       guint max_samples, GError **error)
{
    const VideoModelInfo *info = network->info;
    g_autoptr(VideoFaceParser) self = g_new0(VideoFaceParser, 1);
    self->device = ocl_device_ref(device);
    self->slot = network->slot;
    self->input = nn_slot_input(network->slot, network->input);
    self->output = nn_slot_output(network->slot, network->output);
    if (!video_place_map(&self->input, info->nhwc, &self->in_map, error) ||
        !video_place_map(&self->output, info->nhwc, &self->out_map, error) ||
        !check_tensors(self, error) || !build_kernels(self, error))
        return NULL;
    self->channels = video_channels(info->mean, info->std, info->bgr);
    cl_mem *scratch[] = { &self->parted, &self->blurred };
    for (guint i = 0; i < 2; i++) {
        *scratch[i] =
            ocl_buffer_new(device, OCL_BUFFER_READ_WRITE, mask_b(self) * max_samples, error);
        if (!*scratch[i])
            return NULL;
    }
    return g_steal_pointer(&self);
}

void video_face_parser_free(VideoFaceParser *self)
{
    if (!self)
        return;
    ocl_kernel_free(self->feed);
    ocl_kernel_free(self->parts);
    ocl_kernel_free(self->blur);
    ocl_buffer_clear(&self->parted);
    ocl_buffer_clear(&self->blurred);
    ocl_buffer_clear(&self->masks);
    ocl_device_unref(self->device);
    g_free(self);
}

gboolean video_face_parser_reserve(VideoFaceParser *self, guint capacity, GError **error)
{
    ocl_buffer_clear(&self->masks);
    self->masks =
        ocl_buffer_new(self->device, OCL_BUFFER_READ_WRITE, mask_b(self) * capacity, error);
    return self->masks != NULL;
}

static gboolean run_feed(VideoFaceParser *self, OclQueue *compute, cl_mem restored, gint32 width,
                         gint32 height, gint32 first, guint n, GError **error)
{
    const VideoArgument arguments[] = {
        VIDEO_ARG(restored),     VIDEO_ARG(width),          VIDEO_ARG(height),
        VIDEO_ARG(first),        VIDEO_ARG(self->channels), VIDEO_ARG(self->input.memory),
        VIDEO_ARG(self->in_map),
    };
    return video_launch(compute, self->feed, arguments, G_N_ELEMENTS(arguments), self->in_map.w,
                        self->in_map.h, n, error);
}

static gboolean run_parts(VideoFaceParser *self, OclQueue *compute, guint n, GError **error)
{
    const VideoArgument arguments[] = {
        VIDEO_ARG(self->output.memory),
        VIDEO_ARG(self->out_map),
        VIDEO_ARG(self->left_out),
        VIDEO_ARG(self->parted),
    };
    return video_launch(compute, self->parts, arguments, G_N_ELEMENTS(arguments), self->out_map.w,
                        self->out_map.h, n, error);
}

static gboolean run_blur(VideoFaceParser *self, OclQueue *compute, cl_mem src, cl_mem faces,
                         gint32 first, gint32 vertical, cl_mem dst, gint32 first_dst, guint n,
                         GError **error)
{
    const gint32 first_src = 0, horizontal = !vertical;
    const VideoArgument arguments[] = {
        VIDEO_ARG(src),        VIDEO_ARG(first_src), VIDEO_ARG(faces), VIDEO_ARG(first),
        VIDEO_ARG(horizontal), VIDEO_ARG(vertical),  VIDEO_ARG(dst),   VIDEO_ARG(first_dst),
    };
    return video_launch(compute, self->blur, arguments, G_N_ELEMENTS(arguments), self->out_map.w,
                        self->out_map.h, n, error);
}

gboolean video_face_parser_run(VideoFaceParser *self, OclQueue *compute, cl_mem restored,
                               gint32 width, gint32 height, cl_mem faces, gint32 first, guint n,
                               GError **error)
{
    return run_feed(self, compute, restored, width, height, first, n, error) &&
           nn_slot_run(self->slot, compute, n, error) && run_parts(self, compute, n, error) &&
           run_blur(self, compute, self->parted, faces, first, 0, self->blurred, 0, n, error) &&
           run_blur(self, compute, self->blurred, faces, first, 1, self->masks, first, n, error);
}

cl_mem video_face_parser_masks(const VideoFaceParser *self, VideoMaskSize *size)
{
    *size = (VideoMaskSize){ self->out_map.w, self->out_map.h };
    return self->masks;
}
