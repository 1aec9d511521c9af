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
/* Detectors learn faces of up to about 300 pixels and miss larger ones or take parts of them for
 * faces: a second look at the frame, no larger than this, finds them. */
#define CLOSE_SIDE 320
#define MOST_LOOKS 2
/* Frames smaller than asked for are enlarged by this at most: of faces of 8 to 16 pixels that finds
 * 0.65 instead of 0.22, and three times as much only 0.73. */
#define MOST_ENLARGED 2.0
/* Sizes at which both looks see a face. Asking both takes more than half of the false faces of 16
 * pixels and more away where scores down to 0.3 count, as they do for faces that are followed, and
 * costs hardly any that are right. */
#define CLEAR_LEAST 20.0
#define CLEAR_MOST 300.0
/* What lies in something better by more than this share is a part of it. */
#define PART 0.6f

/* The network for one size of the frame. */
typedef struct {
    NnNetwork *network;
    NnSlot *slot;
    VideoResize *resize;
    double scale_x, scale_y; /* pixels of the tensor per pixel of the frame */
    VideoFaceHeads heads;
    guint n_outputs;
    gsize *offsets; /* [n_outputs] of each in a frame's numbers */
} Look;

struct VideoFaceDetector {
    OclDevice *device;
    gboolean nhwc;
    Look looks[MOST_LOOKS];
    guint n_looks;
    OclKernel *move;
    cl_mem numbers;  /* [max_frames][n_numbers] float */
    gsize n_numbers; /* of one frame, one output after the other */
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

/* Whether the network takes pictures of one size only. */
static gboolean has_size(const NnValue *input, gboolean nhwc)
{
    return input->dims[nhwc ? 1 : 2] > 0 || input->dims[nhwc ? 2 : 3] > 0;
}

static guint open_side(guint side, double scale)
{
    return GST_ROUND_UP_N((guint)MAX(side * scale + 0.5, 1), SIDE_MULTIPLE);
}

static guint longer_side(const GstVideoInfo *frames)
{
    return MAX(GST_VIDEO_INFO_WIDTH(frames), GST_VIDEO_INFO_HEIGHT(frames));
}

static double frame_scale(const GstVideoInfo *frames, guint side)
{
    return MIN(MOST_ENLARGED, (double)side / longer_side(frames));
}

/* The tensor's size; a side that the model leaves open is the frame's, scaled. */
static void tensor_size(const NnValue *input, gboolean nhwc, const GstVideoInfo *frames, guint side,
                        guint *width, guint *height)
{
    const gint64 w = input->dims[nhwc ? 2 : 3], h = input->dims[nhwc ? 1 : 2];
    const double scale = frame_scale(frames, side);
    *width = w > 0 ? (guint)w : open_side(GST_VIDEO_INFO_WIDTH(frames), scale);
    *height = h > 0 ? (guint)h : open_side(GST_VIDEO_INFO_HEIGHT(frames), scale);
}

/* Where the frame lies in the tensor: from the corner on, its shape kept. */
static VideoRect frame_rect(const GstVideoInfo *frames, guint side, gboolean fixed, guint width,
                            guint height)
{
    const double w = GST_VIDEO_INFO_WIDTH(frames), h = GST_VIDEO_INFO_HEIGHT(frames);
    const double most = fixed ? G_MAXUINT : frame_scale(frames, side);
    const double scale = MIN(most, MIN(width / w, height / h));
    return (VideoRect){ .width = CLAMP((guint)(w * scale + 0.5), 1, width),
                        .height = CLAMP((guint)(h * scale + 0.5), 1, height) };
}

/* ---------------------------------------------------------------- building */

static gboolean build_network(const VideoFaceDetector *self, Look *look, NnModel *model,
                              const NnValue *input, guint width, guint height, guint max_frames,
                              GError **error)
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
    look->network = nn_network_new(model, self->device, &params, error);
    if (!look->network)
        return FALSE;
    look->slot = nn_slot_new(look->network, error);
    return look->slot != NULL;
}

static gsize count_of(const NnPort *port)
{
    gsize count = 1;
    for (int i = 0; i < port->rank; i++)
        count *= (gsize)port->dims[i];
    return count;
}

static gboolean find_heads(VideoFaceDetector *self, Look *look, guint width, guint height,
                           GError **error)
{
    look->n_outputs = nn_network_n_outputs(look->network);
    look->offsets = g_new0(gsize, look->n_outputs + 1);
    g_autofree const NnPort **ports = g_new0(const NnPort *, look->n_outputs + 1);
    for (guint i = 0; i < look->n_outputs; i++) {
        ports[i] = nn_network_output(look->network, i);
        look->offsets[i] = self->n_numbers;
        self->n_numbers += count_of(ports[i]);
    }
    return video_face_heads_find(ports, look->n_outputs, width, height, &look->heads, error);
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

static gboolean make_resize(const VideoFaceDetector *self, Look *look, const VideoModelInfo *info,
                            const GstVideoInfo *frames, const VideoRect *rect, guint max_frames,
                            GError **error)
{
    g_autoptr(VideoModelInfo) usual = info ? NULL : usual_info(look->heads.form);
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
    look->resize = video_resize_new(self->device, frames, max_frames, &params, error);
    return look->resize != NULL;
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

static gboolean add_look(VideoFaceDetector *self, NnModel *model, const NnValue *input,
                         const VideoModelInfo *info, const GstVideoInfo *frames, guint side,
                         guint max_frames, GError **error)
{
    guint width, height;
    Look *look = &self->looks[self->n_looks++];
    tensor_size(input, self->nhwc, frames, side, &width, &height);
    const VideoRect rect = frame_rect(frames, side, has_size(input, self->nhwc), width, height);
    look->scale_x = (double)rect.width / GST_VIDEO_INFO_WIDTH(frames);
    look->scale_y = (double)rect.height / GST_VIDEO_INFO_HEIGHT(frames);
    return build_network(self, look, model, input, width, height, max_frames, error) &&
           find_heads(self, look, width, height, error) &&
           make_resize(self, look, info, frames, &rect, max_frames, error);
}

VideoFaceDetector *video_face_detector_new(OclDevice *device, NnModel *model,
                                           const VideoModelInfo *info, const GstVideoInfo *frames,
                                           guint side, guint max_frames, GError **error)
{
    const NnValue *input = picture_input(model, info);
    if (!input || input->rank != 4) {
        g_set_error(error, NN_ERROR, NN_ERROR_INPUT, "the detector has no picture input");
        return NULL;
    }
    g_autoptr(VideoFaceDetector) self = g_new0(VideoFaceDetector, 1);
    self->device = ocl_device_ref(device);
    self->nhwc = info ? info->nhwc : input->dims[3] == 3 && input->dims[1] != 3;
    const double larger = frame_scale(frames, side) * longer_side(frames);
    const gboolean twice = larger > CLOSE_SIDE && !has_size(input, self->nhwc);
    const guint close = MIN(CLOSE_SIDE, longer_side(frames));
    if (!add_look(self, model, input, info, frames, side, max_frames, error) ||
        (twice && !add_look(self, model, input, info, frames, close, max_frames, error)) ||
        !make_readback(self, max_frames, error))
        return NULL;
    return g_steal_pointer(&self);
}

void video_face_detector_free(VideoFaceDetector *self)
{
    if (!self)
        return;
    for (guint i = 0; i < self->n_looks; i++) {
        Look *look = &self->looks[i];
        g_clear_pointer(&look->slot, nn_slot_free);
        g_clear_pointer(&look->network, nn_network_unref);
        video_resize_free(look->resize);
        g_free(look->offsets);
    }
    ocl_kernel_free(self->move);
    ocl_buffer_clear(&self->numbers);
    ocl_device_unref(self->device);
    g_free(self);
}

gsize video_face_detector_numbers(const VideoFaceDetector *self)
{
    return self->n_numbers;
}

/* ---------------------------------------------------------------- running */

/* Output @i of a look at all samples, dense, into its place among the numbers. */
static gboolean gather_output(const VideoFaceDetector *self, const Look *look, OclQueue *queue,
                              guint i, guint n_frames, GError **error)
{
    const NnPlace place = nn_slot_output(look->slot, i);
    NnStrided from = { .offset = (guint64)place.offset, .sample = (guint64)place.sample_stride };
    NnStrided to = { .offset = look->offsets[i], .sample = self->n_numbers };
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

static gboolean run_look(const VideoFaceDetector *self, const Look *look, OclQueue *queue,
                         const VideoFrames *frames, guint first, guint step, guint n_frames,
                         GError **error)
{
    const NnPlace input = nn_slot_input(look->slot, 0);
    VideoMap map;
    if (!video_place_map(&input, self->nhwc, &map, error) ||
        !video_resize_run_every(look->resize, queue, frames, first, step, n_frames, input.memory,
                                &map, error) ||
        !nn_slot_run(look->slot, queue, n_frames, error))
        return FALSE;
    for (guint i = 0; i < look->n_outputs; i++)
        if (!gather_output(self, look, queue, i, n_frames, error))
            return FALSE;
    return TRUE;
}

gboolean video_face_detector_run(VideoFaceDetector *self, OclQueue *queue,
                                 const VideoFrames *frames, guint first, guint step, guint n_frames,
                                 float *numbers, GError **error)
{
    for (guint i = 0; i < self->n_looks; i++)
        if (!run_look(self, &self->looks[i], queue, frames, first, step, n_frames, error))
            return FALSE;
    return ocl_read(queue, self->numbers, 0, numbers, n_frames * self->n_numbers * sizeof(float),
                    NULL, error);
}

/* From the tensor's pixels to the frame's. Detectors count from the corner of the first pixel: they
 * learn from mirrored pictures whose positions are width - x. */
static void to_frame(const Look *look, VideoFace *face)
{
    face->x = (float)(face->x / look->scale_x - 0.5);
    face->y = (float)(face->y / look->scale_y - 0.5);
    face->width = (float)(face->width / look->scale_x);
    face->height = (float)(face->height / look->scale_y);
    for (guint i = 0; i < VIDEO_FACE_POINTS; i++) {
        VideoPoint *point = &face->points[i];
        point->x = (float)(point->x / look->scale_x - 0.5);
        point->y = (float)(point->y / look->scale_y - 0.5);
    }
}

/* What one look has found, best first, in the frame's pixels. */
static void find_in_look(const Look *look, const float *numbers, float threshold, GArray *faces)
{
    g_autofree const float **outputs = g_new0(const float *, look->n_outputs);
    for (guint i = 0; i < look->n_outputs; i++)
        outputs[i] = numbers + look->offsets[i];
    g_array_set_size(faces, 0);
    video_face_heads_decode(&look->heads, outputs, threshold, faces);
    for (guint i = 0; i < faces->len; i++)
        to_frame(look, video_faces_at(faces, i));
    video_face_heads_suppress(&look->heads, faces);
}

static void append_sure(GArray *faces, const GArray *found, float threshold)
{
    for (guint i = 0; i < found->len; i++)
        if (video_faces_at(found, i)->score >= threshold)
            g_array_append_val(faces, *video_faces_at(found, i));
}

/* Both looks' faces; of those that both say, the one of the larger picture comes first. */
static void find_in_both(const VideoFaceDetector *self, const float *numbers, float threshold,
                         GArray *faces)
{
    g_autoptr(GArray) wide = video_faces_new(), close = video_faces_new();
    find_in_look(&self->looks[0], numbers, threshold / 2, wide);
    find_in_look(&self->looks[1], numbers, threshold / 2, close);
    g_autoptr(GArray) first = g_array_copy(wide);
    video_faces_confirm(wide, close, self->looks[1].scale_x, CLEAR_LEAST, CLEAR_MOST);
    video_faces_confirm(close, first, self->looks[0].scale_x, CLEAR_LEAST, CLEAR_MOST);
    g_array_set_size(faces, 0);
    append_sure(faces, wide, threshold);
    append_sure(faces, close, threshold);
    video_face_heads_suppress(&self->looks[0].heads, faces);
    video_faces_drop_parts(faces, PART);
}

void video_face_detector_find(const VideoFaceDetector *self, const float *numbers, float threshold,
                              GArray *faces)
{
    if (self->n_looks > 1)
        find_in_both(self, numbers, threshold, faces);
    else
        find_in_look(&self->looks[0], numbers, threshold, faces);
}
