/* harness.c - the tests' device, pictures and tensors.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "harness.h"

#include <glib/gstdio.h>
#include <string.h>

static OclDevice *the_device;
static OclQueue *the_queue;

/* Every function that kernels call is declared in kernels/builtins.cl. */
static void fail_if_undeclared(const char *domain, GLogLevelFlags level, const char *message,
                               gpointer data)
{
    if (strstr(message, "builtins.cl"))
        g_error("%s", message);
    g_log_default_handler(domain, level, message, data);
}

void harness_init(int *argc, char ***argv)
{
    g_test_init(argc, argv, NULL);
    gst_init(argc, argv);
    g_log_set_handler(NULL, G_LOG_LEVEL_DEBUG, fail_if_undeclared, NULL);
}

void harness_add(const char *sentence, void (*test)(void))
{
    g_autofree char *path = g_strconcat("/video/", sentence, NULL);
    g_test_add_func(path, test);
}

int harness_run(void)
{
    int status = g_test_run();
    ocl_queue_free(the_queue);
    if (the_device)
        ocl_device_unref(the_device);
    return status;
}

OclDevice *harness_device(void)
{
    g_autoptr(GError) error = NULL;
    if (!the_device)
        the_device = ocl_device_open(g_getenv("CLMATTE_DEVICE"), &error);
    g_assert_no_error(error);
    return the_device;
}

OclQueue *harness_queue(void)
{
    g_autoptr(GError) error = NULL;
    if (!the_queue)
        the_queue = ocl_queue_new(harness_device(), "test", FALSE, &error);
    g_assert_no_error(error);
    return the_queue;
}

float harness_random(guint32 *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (float)(*state >> 8) / 16777216.0f;
}

/* ---------------------------------------------------------------- pictures */

GstVideoInfo harness_info(GstVideoFormat format, guint width, guint height, const char *colorimetry)
{
    GstVideoInfo info;
    g_assert_true(gst_video_info_set_format(&info, format, width, height));
    if (colorimetry)
        g_assert_true(gst_video_colorimetry_from_string(&info.colorimetry, colorimetry));
    return info;
}

GstVideoFrame *harness_frame_new(const GstVideoInfo *info, guint extra)
{
    gint stride[GST_VIDEO_MAX_PLANES] = { 0 };
    gsize offset[GST_VIDEO_MAX_PLANES] = { 0 }, size = extra;
    guint n_planes = GST_VIDEO_INFO_N_PLANES(info);
    for (guint plane = 0; plane < n_planes; plane++) {
        guint rows = 0;
        for (guint c = 0; c < (guint)GST_VIDEO_INFO_N_COMPONENTS(info); c++)
            if ((guint)GST_VIDEO_INFO_COMP_PLANE(info, c) == plane)
                rows = MAX(rows, (guint)GST_VIDEO_INFO_COMP_HEIGHT(info, c));
        stride[plane] = GST_VIDEO_INFO_PLANE_STRIDE(info, plane) + extra;
        offset[plane] = size;
        size += (gsize)stride[plane] * rows + extra;
    }
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, size, NULL);
    gst_buffer_memset(buffer, 0, 0xA5, size);
    gst_buffer_add_video_meta_full(buffer, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_INFO_FORMAT(info),
                                   GST_VIDEO_INFO_WIDTH(info), GST_VIDEO_INFO_HEIGHT(info),
                                   n_planes, offset, stride);
    GstVideoFrame *frame = g_new0(GstVideoFrame, 1);
    GstVideoInfo copy = *info;
    g_assert_true(gst_video_frame_map(frame, &copy, buffer, GST_MAP_READWRITE));
    gst_buffer_unref(buffer);
    return frame;
}

void harness_frame_free(GstVideoFrame *frame)
{
    gst_video_frame_unmap(frame);
    g_free(frame);
}

guint8 *harness_sample(const GstVideoFrame *frame, guint c, guint x, guint y)
{
    return (guint8 *)GST_VIDEO_FRAME_COMP_DATA(frame, c) +
           (gsize)y * GST_VIDEO_FRAME_COMP_STRIDE(frame, c) +
           (gsize)x * GST_VIDEO_FRAME_COMP_PSTRIDE(frame, c);
}

static void legal_range(const GstVideoInfo *info, guint c, guint8 *least, guint8 *greatest)
{
    gboolean limited = info->colorimetry.range == GST_VIDEO_COLOR_RANGE_16_235 && c < 3;
    *least = limited ? 16 : 0;
    *greatest = !limited ? 255 : GST_VIDEO_INFO_IS_YUV(info) && c > 0 ? 240 : 235;
}

#define for_each_sample(frame, c, x, y)                                                            \
    for (guint c = 0; c < (guint)GST_VIDEO_FRAME_N_COMPONENTS(frame); c++)                         \
        for (guint y = 0; y < (guint)GST_VIDEO_FRAME_COMP_HEIGHT(frame, c); y++)                   \
            for (guint x = 0; x < (guint)GST_VIDEO_FRAME_COMP_WIDTH(frame, c); x++)

void harness_fill_random(GstVideoFrame *frame, guint32 seed)
{
    guint8 least, greatest;
    for_each_sample(frame, c, x, y)
    {
        legal_range(&frame->info, c, &least, &greatest);
        *harness_sample(frame, c, x, y) =
            least + (guint8)(harness_random(&seed) * (float)(greatest - least + 1));
    }
}

void harness_fill(GstVideoFrame *frame, guint8 c0, guint8 c1, guint8 c2, guint8 alpha)
{
    const guint8 value[] = { c0, c1, c2, alpha };
    for_each_sample(frame, c, x, y) * harness_sample(frame, c, x, y) = value[c];
}

static void convert(const GstVideoFrame *src, GstVideoFrame *dst)
{
    GstVideoInfo in = src->info, out = dst->info;
    GstVideoConverter *converter = gst_video_converter_new(
        &in, &out,
        gst_structure_new("options", GST_VIDEO_CONVERTER_OPT_DITHER_METHOD,
                          GST_TYPE_VIDEO_DITHER_METHOD, GST_VIDEO_DITHER_NONE, NULL));
    g_assert_nonnull(converter);
    gst_video_converter_frame(converter, src, dst);
    gst_video_converter_free(converter);
}

void harness_convert(const GstVideoFrame *src, GstVideoFrame *dst)
{
    /* Straight from 8 to 8 bits the converter takes short cuts in 8-bit integers, which are off by
     * up to 6 (measured with 1.22 on BT.601); over 16 bits it does not. */
    GstVideoInfo deep = harness_info(GST_VIDEO_FORMAT_ARGB64, GST_VIDEO_FRAME_WIDTH(src),
                                     GST_VIDEO_FRAME_HEIGHT(src), NULL);
    g_autoptr(GstVideoFrame) frame = harness_frame_new(&deep, 0);
    convert(src, frame);
    convert(frame, dst);
}

guint harness_difference_of(const GstVideoFrame *a, const GstVideoFrame *b, guint c)
{
    guint greatest = 0;
    for (guint y = 0; y < (guint)GST_VIDEO_FRAME_COMP_HEIGHT(a, c); y++)
        for (guint x = 0; x < (guint)GST_VIDEO_FRAME_COMP_WIDTH(a, c); x++)
            greatest = MAX(greatest,
                           (guint)ABS(*harness_sample(a, c, x, y) - *harness_sample(b, c, x, y)));
    return greatest;
}

guint harness_difference(const GstVideoFrame *a, const GstVideoFrame *b)
{
    guint greatest = 0;
    guint n = MIN(GST_VIDEO_FRAME_N_COMPONENTS(a), GST_VIDEO_FRAME_N_COMPONENTS(b));
    for (guint c = 0; c < n; c++)
        greatest = MAX(greatest, harness_difference_of(a, b, c));
    return greatest;
}

VideoFrames *harness_upload(GstVideoFrame *const *frames, guint n)
{
    g_autoptr(GError) error = NULL;
    VideoFrames *on_device = video_frames_new(harness_device(), &frames[0]->info, n, TRUE, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < n; i++) {
        video_frames_upload(on_device, harness_queue(), i, frames[i], &error);
        g_assert_no_error(error);
    }
    return on_device;
}

void harness_download(VideoFrames *frames, guint index, GstVideoFrame *frame)
{
    g_autoptr(GError) error = NULL;
    video_frames_download(frames, harness_queue(), index, frame, &error);
    g_assert_no_error(error);
    ocl_queue_finish(harness_queue(), &error);
    g_assert_no_error(error);
}

/* ---------------------------------------------------------------- tensors */

/* Elements before the first sample and between samples. */
#define GAP 5

HarnessTensor harness_tensor_new(guint n, guint c, guint h, guint w, gboolean nhwc, gboolean half)
{
    g_autoptr(GError) error = NULL;
    HarnessTensor tensor = { .n = n };
    NnPlace *place = &tensor.place;
    place->type = half ? NN_FLOAT16 : NN_FLOAT32;
    place->rank = 4;
    const gint64 dims[] = { 1, nhwc ? h : c, nhwc ? w : h, nhwc ? c : w };
    gint64 stride = 1;
    for (int i = 3; i >= 0; i--) {
        place->dims[i] = dims[i];
        place->strides[i] = stride;
        stride *= dims[i];
    }
    place->offset = GAP;
    place->sample_stride = stride + GAP;
    gsize n_elements = (gsize)n * place->sample_stride + GAP;
    place->memory = ocl_buffer_new(harness_device(), OCL_BUFFER_READ_WRITE,
                                   n_elements * (half ? 2 : 4), &error);
    g_assert_no_error(error);
    return tensor;
}

void harness_tensor_clear(HarnessTensor *tensor)
{
    ocl_buffer_clear(&tensor->place.memory);
}

/* Both directions: [n][c][h][w] in @data, the place's layout in @bytes. */
static void each_element(const HarnessTensor *tensor, gboolean nhwc, guint8 *bytes, float *data,
                         gboolean write)
{
    const NnPlace *place = &tensor->place;
    const int axes[] = { nhwc ? 3 : 1, nhwc ? 1 : 2, nhwc ? 2 : 3 };
    gsize k = 0;
    for (guint i = 0; i < tensor->n; i++)
        for (gint64 c = 0; c < place->dims[axes[0]]; c++)
            for (gint64 y = 0; y < place->dims[axes[1]]; y++)
                for (gint64 x = 0; x < place->dims[axes[2]]; x++, k++) {
                    gint64 at = place->offset + i * place->sample_stride +
                                c * place->strides[axes[0]] + y * place->strides[axes[1]] +
                                x * place->strides[axes[2]];
                    if (place->type == NN_FLOAT32 && write)
                        ((float *)bytes)[at] = data[k];
                    else if (place->type == NN_FLOAT32)
                        data[k] = ((float *)bytes)[at];
                    else if (write)
                        ((guint16 *)bytes)[at] = nn_float_to_half(data[k]);
                    else
                        data[k] = nn_half_to_float(((guint16 *)bytes)[at]);
                }
}

static gsize tensor_size_b(const HarnessTensor *tensor)
{
    const NnPlace *place = &tensor->place;
    return ((gsize)tensor->n * place->sample_stride + GAP) * nn_type_size(place->type);
}

void harness_tensor_write(HarnessTensor *tensor, gboolean nhwc, const float *data)
{
    g_autoptr(GError) error = NULL;
    gsize size_b = tensor_size_b(tensor);
    g_autofree guint8 *bytes = g_malloc(size_b);
    /* NaN where no element is: it must not reach a result. */
    memset(bytes, 0xFF, size_b);
    each_element(tensor, nhwc, bytes, (float *)data, TRUE);
    ocl_write(harness_queue(), tensor->place.memory, 0, bytes, size_b, NULL, &error);
    g_assert_no_error(error);
    ocl_queue_finish(harness_queue(), &error);
    g_assert_no_error(error);
}

float *harness_tensor_read(HarnessTensor *tensor, gboolean nhwc)
{
    g_autoptr(GError) error = NULL;
    gsize size_b = tensor_size_b(tensor);
    g_autofree guint8 *bytes = g_malloc(size_b);
    ocl_read(harness_queue(), tensor->place.memory, 0, bytes, size_b, NULL, &error);
    g_assert_no_error(error);
    ocl_queue_finish(harness_queue(), &error);
    g_assert_no_error(error);
    const gint64 *dims = tensor->place.dims;
    float *data = g_new(float, tensor->n *dims[1] * dims[2] * dims[3]);
    each_element(tensor, nhwc, bytes, data, FALSE);
    return data;
}

VideoMatteControls harness_controls(VideoBackground background)
{
    return (VideoMatteControls){
        .background = background, .background_color = 0xFF000000, .alpha_high = 1, .gamma = 1
    };
}
