/* facedetect.c - a detector network over frames: scaled, run, its outputs read back side by side.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "facedetect.h"

#include "../nn/launch.h"
#include "modelinfo.h"
#include "resize.h"

/* All known detectors halve their maps five times. */
#define SIDE_MULTIPLE 32

struct VideoFaceDetector {
    OclDevice *device;
    NnNetwork *network;
    NnSlot *slot;
    VideoResize *resize;
    gboolean nhwc;
    double scale_x, scale_y; /* pixels of the tensor per pixel of the frame */
    VideoFaceHeads heads;
    OclKernel *move;
    cl_mem numbers;  /* [max_frames][n_numbers] float */
    gsize n_numbers; /* of one frame, one output after the other */
    guint n_outputs;
    gsize *offsets; /* [n_outputs] of each in them */
};

/* ---------------------------------------------------------------- sizes */

static const NnValue *picture_input(const NnModel *model, const VideoModelInfo *info)
{
    const GPtrArray *inputs = nn_model_graph(model)->inputs;
    for (guint i = 0; i < inputs->len; i++) {
        const NnValue *input = g_ptr_array_index(inputs, i);
        if (info && info->input ? g_str_equal(input->name, info->input) : input->rank == 4)
            return input;
    }
    return NULL;
}

static guint open_side(guint side, double scale)
{
    return GST_ROUND_UP_N((guint)MAX(side * scale + 0.5, 1), SIDE_MULTIPLE);
}

/* The tensor's size; a side that the model leaves open is the frame's, reduced. */
static void tensor_size(const NnValue *input, gboolean nhwc, const GstVideoInfo *frames, guint side,
                        guint *width, guint *height)
{
    const gint64 w = input->dims[nhwc ? 2 : 3], h = input->dims[nhwc ? 1 : 2];
    const guint own_width = GST_VIDEO_INFO_WIDTH(frames),
                own_height = GST_VIDEO_INFO_HEIGHT(frames);
    const double scale = MIN(1.0, (double)side / MAX(own_width, own_height));
    *width = w > 0 ? (guint)w : open_side(own_width, scale);
    *height = h > 0 ? (guint)h : open_side(own_height, scale);
}

/* Where the frame lies in the tensor: from the corner on, its shape kept. */
static VideoRect frame_rect(const GstVideoInfo *frames, guint side, gboolean fixed, guint width,
                            guint height)
{
    const double w = GST_VIDEO_INFO_WIDTH(frames), h = GST_VIDEO_INFO_HEIGHT(frames);
    const double most = fixed ? G_MAXUINT : MIN(1.0, side / MAX(w, h));
    const double scale = MIN(most, MIN(width / w, height / h));
    return (VideoRect){ .width = CLAMP((guint)(w * scale + 0.5), 1, width),
                        .height = CLAMP((guint)(h * scale + 0.5), 1, height) };
}

/* ---------------------------------------------------------------- building */

static gboolean build_network(VideoFaceDetector *self, NnModel *model, const NnValue *input,
                              guint width, guint height, guint max_frames, GError **error)
{
    NnBinding binding = { .name = input->name, .rank = 4, .dims = { 1, 3, height, width } };
    if (self->nhwc) {
        const gint64 dims[] = { 1, height, width, 3 };
        memcpy(binding.dims, dims, sizeof dims);
    }
    /* Boxes are exponentials of outputs, and there is little to gain by halves. */
    const NnNetworkParams params = {
        .max_samples = max_frames, .precision = NN_PRECISION_FP32, .inputs = &binding, .n_inputs = 1
    };
    self->network = nn_network_new(model, self->device, &params, error);
    if (!self->network)
        return FALSE;
    self->slot = nn_slot_new(self->network, error);
    return self->slot != NULL;
}

static gsize count_of(const NnPort *port)
{
    gsize count = 1;
    for (int i = 0; i < port->rank; i++)
        count *= (gsize)port->dims[i];
    return count;
}

static gboolean find_heads(VideoFaceDetector *self, guint width, guint height, GError **error)
{
    self->n_outputs = nn_network_n_outputs(self->network);
    self->offsets = g_new0(gsize, self->n_outputs + 1);
    g_autofree const NnPort **ports = g_new0(const NnPort *, self->n_outputs + 1);
    for (guint i = 0; i < self->n_outputs; i++) {
        ports[i] = nn_network_output(self->network, i);
        self->offsets[i] = self->n_numbers;
        self->n_numbers += count_of(ports[i]);
    }
    return video_face_heads_find(ports, self->n_outputs, width, height, &self->heads, error);
}

/* What the forms' authors feed them; see the head of facedecode.c. */
static VideoModelInfo *usual_info(VideoFaceForm form)
{
    VideoModelInfo *info = video_model_info_new("face-detector");
    if (form == VIDEO_FACE_SCRFD) {
        for (guint c = 0; c < 3; c++)
            info->std[c] = 128;
        return info;
    }
    static const float retina_mean[3] = { 104, 117, 123 };
    info->bgr = TRUE;
    for (guint c = 0; c < 3; c++) {
        info->mean[c] = form == VIDEO_FACE_RETINAFACE ? retina_mean[c] : 0;
        info->std[c] = 1;
    }
    return info;
}

static gboolean make_resize(VideoFaceDetector *self, const VideoModelInfo *info,
                            const GstVideoInfo *frames, const VideoRect *rect, guint max_frames,
                            GError **error)
{
    g_autoptr(VideoModelInfo) usual = info ? NULL : usual_info(self->heads.form);
    const VideoModelInfo *used = info ? info : usual;
    VideoResizeParams params = { .width = GST_VIDEO_INFO_WIDTH(frames),
                                 .height = GST_VIDEO_INFO_HEIGHT(frames),
                                 .rect = *rect,
                                 .matrix = video_matrix_to_rgb(frames) };
    for (guint i = 0; i < 4 && used->bgr; i++) {
        const double red = params.matrix.m[0][i];
        params.matrix.m[0][i] = params.matrix.m[2][i];
        params.matrix.m[2][i] = red;
    }
    for (guint c = 0; c < 3; c++) {
        params.normalise.mean[c] = used->mean[c];
        params.normalise.gain[c] = 1 / used->std[c];
    }
    self->resize = video_resize_new(self->device, frames, max_frames, &params, error);
    return self->resize != NULL;
}

static gboolean make_readback(VideoFaceDetector *self, guint max_frames, GError **error)
{
    g_autofree char *options =
        g_strdup_printf("-DTX=float -DTY=float -DRANK=%d -DLANE_RANK=%d", NN_MAX_RANK, NN_MAX_RANK);
    self->move = ocl_kernel_new(self->device, "move.cl", "move_reshaped", options, error);
    if (!self->move)
        return FALSE;
    self->numbers = ocl_buffer_new(self->device, OCL_BUFFER_READ_WRITE,
                                   self->n_numbers * max_frames * sizeof(float), error);
    return self->numbers != NULL;
}

VideoFaceDetector *video_face_detector_new(OclDevice *device, NnModel *model,
                                           const VideoModelInfo *info, const GstVideoInfo *frames,
                                           guint side, guint max_frames, GError **error)
{
    guint width, height;
    const NnValue *input = picture_input(model, info);
    if (!input || input->rank != 4) {
        g_set_error(error, NN_ERROR, NN_ERROR_INPUT, "the detector has no picture input");
        return NULL;
    }
    g_autoptr(VideoFaceDetector) self = g_new0(VideoFaceDetector, 1);
    self->device = ocl_device_ref(device);
    self->nhwc = info ? info->nhwc : input->dims[3] == 3 && input->dims[1] != 3;
    tensor_size(input, self->nhwc, frames, side, &width, &height);
    const gboolean fixed = input->dims[self->nhwc ? 1 : 2] > 0;
    const VideoRect rect = frame_rect(frames, side, fixed, width, height);
    self->scale_x = (double)rect.width / GST_VIDEO_INFO_WIDTH(frames);
    self->scale_y = (double)rect.height / GST_VIDEO_INFO_HEIGHT(frames);
    if (!build_network(self, model, input, width, height, max_frames, error) ||
        !find_heads(self, width, height, error) ||
        !make_resize(self, info, frames, &rect, max_frames, error) ||
        !make_readback(self, max_frames, error))
        return NULL;
    return g_steal_pointer(&self);
}

void video_face_detector_free(VideoFaceDetector *self)
{
    if (!self)
        return;
    g_clear_pointer(&self->slot, nn_slot_free);
    g_clear_pointer(&self->network, nn_network_unref);
    video_resize_free(self->resize);
    ocl_kernel_free(self->move);
    ocl_buffer_clear(&self->numbers);
    g_free(self->offsets);
    ocl_device_unref(self->device);
    g_free(self);
}

gsize video_face_detector_numbers(const VideoFaceDetector *self)
{
    return self->n_numbers;
}

/* ---------------------------------------------------------------- running */

/* Output @i of all samples, dense, into its place among the numbers. */
static gboolean gather_output(VideoFaceDetector *self, OclQueue *queue, guint i, guint n_frames,
                              GError **error)
{
    const NnPlace place = nn_slot_output(self->slot, i);
    NnStrided from = { .offset = (guint64)place.offset, .sample = (guint64)place.sample_stride };
    NnStrided to = { .offset = self->offsets[i], .sample = self->n_numbers };
    NnExtents extents = { { 1, 1, 1, 1, 1, 1, 1, 1 } };
    gint32 count = 1;
    for (int k = place.rank - 1; k >= 0; k--) {
        from.stride[k] = (gint32)place.strides[k];
        to.stride[k] = count;
        extents.n[k] = (gint32)place.dims[k];
        count *= extents.n[k];
    }
    const VideoArgument arguments[] = {
        VIDEO_ARG(place.memory), VIDEO_ARG(from),    VIDEO_ARG(extents), VIDEO_ARG(self->numbers),
        VIDEO_ARG(to),           VIDEO_ARG(extents), VIDEO_ARG(count),
    };
    for (guint k = 0; k < G_N_ELEMENTS(arguments); k++)
        if (!ocl_kernel_set(self->move, k, arguments[k].size_b, arguments[k].value, error))
            return FALSE;
    const gsize local[3] = { 64, 1, 1 }, global[3] = { GST_ROUND_UP_64((gsize)count), 1, n_frames };
    return ocl_enqueue(queue, self->move, 3, global, local, NULL, error);
}

gboolean video_face_detector_run(VideoFaceDetector *self, OclQueue *queue,
                                 const VideoFrames *frames, guint first, guint step, guint n_frames,
                                 float *numbers, GError **error)
{
    const NnPlace input = nn_slot_input(self->slot, 0);
    VideoMap map;
    if (!video_place_map(&input, self->nhwc, &map, error) ||
        !video_resize_run_every(self->resize, queue, frames, first, step, n_frames, input.memory,
                                &map, error) ||
        !nn_slot_run(self->slot, queue, n_frames, error))
        return FALSE;
    for (guint i = 0; i < self->n_outputs; i++)
        if (!gather_output(self, queue, i, n_frames, error))
            return FALSE;
    return ocl_read(queue, self->numbers, 0, numbers, n_frames * self->n_numbers * sizeof(float),
                    NULL, error);
}

/* From the tensor's pixels to the frame's. Detectors count from the corner of the first pixel: they
 * learn from mirrored pictures whose positions are width - x. */
static void to_frame(const VideoFaceDetector *self, VideoFace *face)
{
    face->x = (float)(face->x / self->scale_x - 0.5);
    face->y = (float)(face->y / self->scale_y - 0.5);
    face->width = (float)(face->width / self->scale_x);
    face->height = (float)(face->height / self->scale_y);
    for (guint i = 0; i < VIDEO_FACE_POINTS; i++) {
        VideoPoint *point = &face->points[i];
        point->x = (float)(point->x / self->scale_x - 0.5);
        point->y = (float)(point->y / self->scale_y - 0.5);
    }
}

void video_face_detector_find(const VideoFaceDetector *self, const float *numbers, float threshold,
                              GArray *faces)
{
    g_autofree const float **outputs = g_new0(const float *, self->n_outputs);
    for (guint i = 0; i < self->n_outputs; i++)
        outputs[i] = numbers + self->offsets[i];
    g_array_set_size(faces, 0);
    video_face_heads_decode(&self->heads, outputs, threshold, faces);
    video_face_heads_suppress(&self->heads, faces);
    for (guint i = 0; i < faces->len; i++)
        to_frame(self, video_faces_at(faces, i));
}
