/* color.c - colour matrices from caps: matrix coefficients, ranges, offsets; in double.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "color.h"

static gboolean is_rgb(const GstVideoInfo *info)
{
    return GST_VIDEO_INFO_IS_RGB(info);
}

/* Luma coefficients; without a matrix in the caps, GStreamer's rule for unmarked video. */
static void luma_coefficients(const GstVideoInfo *info, double *kr, double *kb)
{
    if (gst_video_color_matrix_get_Kr_Kb(info->colorimetry.matrix, kr, kb))
        return;
    gst_video_color_matrix_get_Kr_Kb(GST_VIDEO_INFO_HEIGHT(info) > 576
                                         ? GST_VIDEO_COLOR_MATRIX_BT709
                                         : GST_VIDEO_COLOR_MATRIX_BT601,
                                     kr, kb);
}

/* Stored value = scale * value + offset, with value in 0..1 (chroma -0.5..0.5). */
static void range_of(const GstVideoInfo *info, double offset[3], double scale[3])
{
    gint offsets[GST_VIDEO_MAX_COMPONENTS], scales[GST_VIDEO_MAX_COMPONENTS];
    gst_video_color_range_offsets(info->colorimetry.range, info->finfo, offsets, scales);
    for (guint i = 0; i < 3; i++) {
        offset[i] = offsets[i];
        scale[i] = scales[i];
    }
    if (GST_VIDEO_INFO_N_COMPONENTS(info) == 1)
        for (guint i = 1; i < 3; i++) {
            /* Kernels read absent chroma as 128. */
            offset[i] = 128;
            scale[i] = 255;
        }
}

VideoMatrix video_matrix_to_rgb(const GstVideoInfo *in)
{
    double offset[3], scale[3], kr, kb;
    range_of(in, offset, scale);
    VideoMatrix matrix = { { { 1, 0, 0, 0 }, { 0, 1, 0, 0 }, { 0, 0, 1, 0 } } };
    if (!is_rgb(in)) {
        luma_coefficients(in, &kr, &kb);
        double kg = 1 - kr - kb;
        matrix = (VideoMatrix){ { { 1, 0, 2 * (1 - kr), 0 },
                                  { 1, -2 * (1 - kb) * kb / kg, -2 * (1 - kr) * kr / kg, 0 },
                                  { 1, 2 * (1 - kb), 0, 0 } } };
    }
    for (guint row = 0; row < 3; row++)
        for (guint i = 0; i < 3; i++) {
            matrix.m[row][i] *= 255 / scale[i];
            matrix.m[row][3] -= matrix.m[row][i] * offset[i];
        }
    return matrix;
}

VideoMatrix video_matrix_from_rgb(const GstVideoInfo *out)
{
    double offset[3], scale[3], kr, kb;
    range_of(out, offset, scale);
    VideoMatrix matrix = { { { 1, 0, 0, 0 }, { 0, 1, 0, 0 }, { 0, 0, 1, 0 } } };
    if (!is_rgb(out)) {
        luma_coefficients(out, &kr, &kb);
        double kg = 1 - kr - kb, u = 0.5 / (1 - kb), v = 0.5 / (1 - kr);
        matrix = (VideoMatrix){ { { kr, kg, kb, 0 },
                                  { -u * kr, -u * kg, u * (1 - kb), 0 },
                                  { v * (1 - kr), -v * kg, -v * kb, 0 } } };
    }
    for (guint row = 0; row < 3; row++) {
        for (guint i = 0; i < 3; i++)
            matrix.m[row][i] *= scale[row] / 255;
        matrix.m[row][3] = offset[row];
    }
    return matrix;
}

VideoMatrix video_matrix_join(const VideoMatrix *first, const VideoMatrix *second)
{
    VideoMatrix joined;
    for (guint row = 0; row < 3; row++)
        for (guint column = 0; column < 4; column++) {
            double sum = column == 3 ? second->m[row][3] : 0;
            for (guint i = 0; i < 3; i++)
                sum += second->m[row][i] * first->m[i][column];
            joined.m[row][column] = sum;
        }
    return joined;
}

cl_float16 video_matrix_argument(const VideoMatrix *matrix)
{
    cl_float16 argument = { 0 };
    for (guint row = 0; row < 3; row++)
        for (guint column = 0; column < 4; column++)
            argument.s[4 * row + column] = (float)matrix->m[row][column];
    return argument;
}

gboolean video_color_same_space(const GstVideoInfo *in, const GstVideoInfo *out)
{
    if (is_rgb(in) != is_rgb(out))
        return FALSE;
    VideoMatrix to = video_matrix_to_rgb(in), from = video_matrix_from_rgb(out);
    VideoMatrix both = video_matrix_join(&to, &from);
    for (guint row = 0; row < 3; row++)
        for (guint column = 0; column < 4; column++)
            if (ABS(both.m[row][column] - (row == column)) > 1e-6)
                return FALSE;
    return TRUE;
}
