/* compose.c - frame and matte to the picture that leaves: alpha, or a composition over a
 * background.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "background.h"
#include "paint.h"

/* How far the colours beside a soft edge are looked for, as a share of the picture's height: two
 * sigma. With one sigma of 1 % the estimates of 36 composed pictures had half the error of the
 * frames' own colours, the least of 0.5 to 5 %. */
#define ESTIMATE_RADIUS 0.02f
/* Sigma: the frames' own. */
#define PER_FRAME (-1.0f)

struct VideoCompose {
    OclDevice *device;
    GstVideoInfo in, out;
    guint max_frames;
    cl_float16 matrix;
    OclKernel *kernel;
    VideoControlsTable *controls;
    VideoAlpha *alpha;
    VideoPaint *foreground; /* NULL: the network gives none */
    VideoBlur *blur;        /* NULL: not asked for yet */
    VideoBlur *sides[2];    /* by VideoBlurSide, for estimates; likewise */
    cl_mem image;           /* NULL: none */
};

static gboolean check_sizes(const GstVideoInfo *in, const GstVideoInfo *out, GError **error)
{
    if (GST_VIDEO_INFO_WIDTH(in) == GST_VIDEO_INFO_WIDTH(out) &&
        GST_VIDEO_INFO_HEIGHT(in) == GST_VIDEO_INFO_HEIGHT(out) &&
        video_format_supported(GST_VIDEO_INFO_FORMAT(in)) &&
        video_format_supported(GST_VIDEO_INFO_FORMAT(out)))
        return TRUE;
    g_set_error(error, NN_ERROR, NN_ERROR_INPUT, "cannot turn %dx%d %s into %dx%d %s",
                GST_VIDEO_INFO_WIDTH(in), GST_VIDEO_INFO_HEIGHT(in), GST_VIDEO_INFO_NAME(in),
                GST_VIDEO_INFO_WIDTH(out), GST_VIDEO_INFO_HEIGHT(out), GST_VIDEO_INFO_NAME(out));
    return FALSE;
}

static gboolean build_kernel(VideoCompose *compose, GError **error)
{
    g_autofree char *defines = video_picture_defines(&compose->in, &compose->out);
    compose->kernel = video_kernel_new(compose->device, "video_compose.cl", "video_compose", error,
                                       "-DFOREGROUND=%d%s", compose->foreground != NULL, defines);
    return compose->kernel != NULL;
}

VideoCompose *video_compose_new(OclDevice *device, const GstVideoInfo *in, const GstVideoInfo *out,
                                const VideoModelInfo *info, guint max_frames, const NnPlace *matte,
                                const NnPlace *foreground, GError **error)
{
    if (!check_sizes(in, out, error))
        return NULL;
    g_autoptr(VideoCompose) compose = g_new0(VideoCompose, 1);
    compose->device = ocl_device_ref(device);
    compose->in = *in;
    compose->out = *out;
    compose->max_frames = max_frames;
    VideoMatrix to = video_matrix_to_rgb(in), from = video_matrix_from_rgb(out);
    VideoMatrix matrix = video_matrix_join(&to, &from);
    compose->matrix = video_matrix_argument(&matrix);
    compose->controls = video_controls_table_new(device, max_frames, error);
    if (!compose->controls)
        return NULL;
    compose->alpha = video_alpha_new(device, in, info, max_frames, matte, error);
    if (!compose->alpha)
        return NULL;
    if (foreground) {
        const float gain[3] = { 255, 255, 255 }, offset[3] = { 0, 0, 0 };
        compose->foreground =
            video_paint_new(device, out, info, gain, offset, max_frames, foreground, error);
        if (!compose->foreground)
            return NULL;
    }
    return build_kernel(compose, error) ? g_steal_pointer(&compose) : NULL;
}

void video_compose_free(VideoCompose *compose)
{
    if (!compose)
        return;
    ocl_kernel_free(compose->kernel);
    video_controls_table_free(compose->controls);
    video_alpha_free(compose->alpha);
    video_paint_free(compose->foreground);
    video_blur_free(compose->blur);
    video_blur_free(compose->sides[VIDEO_BLUR_BEHIND]);
    video_blur_free(compose->sides[VIDEO_BLUR_FRONT]);
    ocl_buffer_clear(&compose->image);
    ocl_device_unref(compose->device);
    g_free(compose);
}

void video_compose_begin(VideoCompose *compose)
{
    video_alpha_begin(compose->alpha);
}

gboolean video_compose_set_image(VideoCompose *compose, OclQueue *compute, GstVideoFrame *image,
                                 GError **error)
{
    cl_mem memory = NULL;
    if (image) {
        memory = video_image_cover(compose->device, compute, image, &compose->out, error);
        if (!memory)
            return FALSE;
    }
    /* The driver keeps the old one until what uses it is done. */
    ocl_buffer_clear(&compose->image);
    compose->image = memory;
    return TRUE;
}

/* The background that is really drawn: there may be no image. */
static VideoBackground background_of(const VideoCompose *compose,
                                     const VideoMatteControls *controls)
{
    if (controls->background == VIDEO_BACKGROUND_IMAGE && !compose->image)
        return VIDEO_BACKGROUND_COLOR;
    return controls->background;
}

static VideoFrameControls frame_controls(const VideoCompose *compose,
                                         const VideoMatteControls *controls)
{
    VideoFrameControls frame = { .low = CLAMP(controls->alpha_low, 0, 1),
                                 .exponent = controls->gamma > 0 ? 1 / controls->gamma : 1,
                                 .feather = MIN(ABS(controls->feather), VIDEO_MAX_EDGE_PX),
                                 .background = background_of(compose, controls),
                                 .refine = controls->refine,
                                 .temporal = CLAMP(controls->temporal, 0, 1),
                                 .sigma = video_blur_sigma(&compose->out, controls->blur_radius) };
    /* Not where nothing shows it, nor where the network knows better. */
    frame.estimate = controls->foreground == VIDEO_FOREGROUND_ESTIMATED &&
                     frame.background != VIDEO_BACKGROUND_KEEP && !compose->foreground &&
                     !GST_VIDEO_INFO_IS_GRAY(&compose->out);
    float width = MIN(controls->alpha_high, 1) - frame.low;
    /* Where the thresholds meet, alpha is a step: a slope far beyond that of any matte. */
    frame.gain = width > 1e-4f ? 1 / width : 1e4f;
    /* A tent reaches as far as it softens: eroding first keeps an inward edge inside. */
    gint inwards = controls->feather < 0 ? frame.feather : 0;
    frame.erode = CLAMP(controls->erode + inwards, -VIDEO_MAX_EDGE_PX, VIDEO_MAX_EDGE_PX);
    VideoMatrix from = video_matrix_from_rgb(&compose->out);
    guint32 argb = controls->background_color;
    for (guint c = 0; c < 3; c++)
        frame.color[c] =
            (float)(from.m[c][0] * (argb >> 16 & 255) + from.m[c][1] * (argb >> 8 & 255) +
                    from.m[c][2] * (argb & 255) + from.m[c][3]);
    frame.color[3] = (argb >> 24) / 255.0f;
    return frame;
}

static gboolean set_controls(VideoCompose *compose, OclQueue *compute, guint n_frames,
                             const VideoMatteControls *controls, GError **error)
{
    for (guint i = 0; i < n_frames; i++) {
        const VideoFrameControls frame = frame_controls(compose, &controls[i]);
        if (!video_controls_table_set(compose->controls, compute, i, &frame, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean run_blur(VideoCompose *compose, OclQueue *compute, const VideoFrames *in,
                         guint n_frames, VideoBlur **blur, VideoBlurSide side, float sigma,
                         GError **error)
{
    /* Made when first asked for: most streams never blur, and kernels take time to build. */
    if (!*blur)
        *blur = video_blur_new(compose->device, &compose->in, &compose->out, side,
                               compose->max_frames, error);
    return *blur && video_blur_run(*blur, compute, in, n_frames, compose->alpha, sigma,
                                   compose->controls, error);
}

/* Those that any of the frames asks for. */
static gboolean run_blurs(VideoCompose *compose, OclQueue *compute, const VideoFrames *in,
                          guint n_frames, GError **error)
{
    const float sigma = video_blur_sigma(&compose->out, ESTIMATE_RADIUS);
    gboolean blurred = FALSE, estimated = FALSE;
    for (guint i = 0; i < n_frames; i++) {
        const VideoFrameControls *frame = video_controls_table_get(compose->controls, i);
        blurred |= frame->background == VIDEO_BACKGROUND_BLUR;
        estimated |= frame->estimate != 0;
    }
    if (blurred && !run_blur(compose, compute, in, n_frames, &compose->blur, VIDEO_BLUR_BEHIND,
                             PER_FRAME, error))
        return FALSE;
    for (guint side = 0; estimated && side < G_N_ELEMENTS(compose->sides); side++)
        if (!run_blur(compose, compute, in, n_frames, &compose->sides[side], side, sigma, error))
            return FALSE;
    return TRUE;
}

static gboolean run_compose(VideoCompose *compose, OclQueue *compute, const VideoFrames *in,
                            const VideoFrames *out, guint n_frames, GError **error)
{
    cl_mem src = video_frames_memory(in), dst = video_frames_memory(out);
    cl_mem alpha = video_alpha_memory(compose->alpha);
    cl_mem controls = video_controls_table_memory(compose->controls);
    cl_mem paint = NULL, blurred = NULL, behind = NULL, front = NULL;
    VideoSheet paint_sheet = { 0 };
    VideoSmall small = { 0 };
    cl_float16 paint_matrix = { 0 };
    if (compose->foreground) {
        paint = video_paint_memory(compose->foreground);
        paint_sheet = video_paint_sheet(compose->foreground);
        paint_matrix = video_paint_matrix(compose->foreground);
    }
    if (compose->blur) {
        blurred = video_blur_memory(compose->blur);
        small = video_blur_size(compose->blur);
    }
    if (compose->sides[VIDEO_BLUR_FRONT]) {
        behind = video_blur_memory(compose->sides[VIDEO_BLUR_BEHIND]);
        front = video_blur_memory(compose->sides[VIDEO_BLUR_FRONT]);
        small = video_blur_size(compose->sides[VIDEO_BLUR_FRONT]);
    }
    gint32 alpha_pitch = video_alpha_pitch(compose->alpha);
    gint32 image_pitch = (gint32)video_pad(GST_VIDEO_INFO_WIDTH(&compose->out));
    const VideoPicture *out_picture = &video_frames_layout(out)->picture;
    const VideoArgument arguments[] = {
        VIDEO_ARG(src),
        VIDEO_ARG(video_frames_layout(in)->picture),
        VIDEO_ARG(dst),
        VIDEO_ARG(*out_picture),
        VIDEO_ARG(compose->matrix),
        VIDEO_ARG(alpha),
        VIDEO_ARG(alpha_pitch),
        VIDEO_ARG(controls),
        VIDEO_ARG(paint),
        VIDEO_ARG(paint_sheet),
        VIDEO_ARG(paint_matrix),
        VIDEO_ARG(blurred),
        VIDEO_ARG(behind),
        VIDEO_ARG(front),
        VIDEO_ARG(small),
        VIDEO_ARG(compose->image),
        VIDEO_ARG(image_pitch),
    };
    return video_launch(compute, compose->kernel, arguments, G_N_ELEMENTS(arguments),
                        video_strips(compose->device, (guint)out_picture->width),
                        video_row_groups(&compose->out), n_frames, error);
}

gboolean video_compose_run(VideoCompose *compose, OclQueue *compute, const VideoFrames *in,
                           const VideoFrames *out, guint n_frames, const NnPlace *matte,
                           const NnPlace *foreground, const VideoMatteControls *controls,
                           GError **error)
{
    g_return_val_if_fail(n_frames <= compose->max_frames, FALSE);
    g_return_val_if_fail(!compose->foreground || foreground, FALSE);
    return set_controls(compose, compute, n_frames, controls, error) &&
           video_alpha_run(compose->alpha, compute, in, n_frames, matte, compose->controls,
                           error) &&
           (!compose->foreground ||
            video_paint_run(compose->foreground, compute, n_frames, foreground, error)) &&
           run_blurs(compose, compute, in, n_frames, error) &&
           run_compose(compose, compute, in, out, n_frames, error);
}
