/* video_compose.cl - the last step: frame, matte and background become the picture that leaves.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Defines: PX; those of video_picture.clh; FOREGROUND 1: colours of the foreground are given.
 * Buffers: src, dst pictures of n frames; alpha [n][height][pitch] ushort; paint
 *   [n][3][tensor height][pitch] float: the network's picture, resized horizontally; blurred
 *   [n][3][blurred height][pitch] float; image [3][height][pitch] half; both in the output's space.
 * Blending happens in the output's space: it commutes with the affine change of space.
 * Launch: strips of PX columns, rows (pairs of rows where the output's chroma is halved), frames;
 *   any local size.
 */
#include "video_picture.clh"

/* A [n][3][height][pitch] float picture that is resized vertically where it is read. */
typedef struct {
    Axis axis;
    int pitch, height;
} Sheet;

/* A [n][3][height][pitch] float picture of a quarter of the size. */
typedef struct {
    int pitch, width, height;
} Small;

/* PX pixels of a plane that is a quarter as large, bilinear: the four pixels of one of its own lie
 * 3/8 and 1/8 of it before and behind its middle. */
static inline Floats grow_plane(__global const float *plane, Small small, int x, int y)
{
    const float centre = ((float)y + 0.5f) * 0.25f - 0.5f;
    const int above = (int)floor(centre);
    const float share = centre - (float)above;
    __global const float *near = plane + (ulong)max(above, 0) * small.pitch;
    __global const float *far = plane + (ulong)min(above + 1, small.height - 1) * small.pitch;
    /* One beyond the strip on either side. */
    float value[PX / 4 + 2];
    for (int i = 0; i < PX / 4 + 2; i++) {
        const int at = clamp(x / 4 - 1 + i, 0, small.width - 1);
        value[i] = near[at] + share * (far[at] - near[at]);
    }
    float wide[PX];
    for (int i = 0; i < PX / 4; i++) {
        const float here = value[i + 1], before = value[i] - here, after = value[i + 2] - here;
        wide[4 * i] = here + 0.375f * before;
        wide[4 * i + 1] = here + 0.125f * before;
        wide[4 * i + 2] = here + 0.125f * after;
        wide[4 * i + 3] = here + 0.375f * after;
    }
    return LOAD_PX(wide);
}

static inline Color blurred_color(__global const float *blurred, Small small, ulong frame, int x,
                                  int y)
{
    const ulong plane = (ulong)small.height * small.pitch;
    __global const float *p = blurred + 3 * frame * plane;
    Color c;
    c.c0 = grow_plane(p, small, x, y);
    c.c1 = grow_plane(p + plane, small, x, y);
    c.c2 = grow_plane(p + 2 * plane, small, x, y);
    return c;
}

/* The foreground's own colour where @color is @share of it and the rest of what is behind: what the
 * neighbourhood's two colours leave unexplained belongs to both by their shares (Germer et al.:
 * Fast Multi-Level Foreground Estimation, 2020; Forte: Approximate Fast Foreground Colour
 * Estimation, 2021). Opaque and empty pixels stay as they are. */
static inline Color estimated_color(Color color, Color front, Color behind, Floats share)
{
    Color own;
    own.c0 = front.c0 + share * (color.c0 - share * front.c0 - (1.0f - share) * behind.c0);
    own.c1 = front.c1 + share * (color.c1 - share * front.c1 - (1.0f - share) * behind.c1);
    own.c2 = front.c2 + share * (color.c2 - share * front.c2 - (1.0f - share) * behind.c2);
    own = color_clamp(own);
    const Ints mixed = share > 0.0f && share < 1.0f;
    color.c0 = select(color.c0, own.c0, mixed);
    color.c1 = select(color.c1, own.c1, mixed);
    color.c2 = select(color.c2, own.c2, mixed);
    return color;
}

/* The network's picture in the output's space. */
static inline Color paint_color(__global const float *paint, Sheet sheet, float16 m, ulong frame,
                                int x, int y)
{
    const ulong plane = (ulong)sheet.height * sheet.pitch;
    __global const float *p = paint + 3 * frame * plane;
    const Tent tent = tent_at(sheet.axis, y);
    Color c;
    c.c0 = tent_column(p, sheet.pitch, tent, x);
    c.c1 = tent_column(p + plane, sheet.pitch, tent, x);
    c.c2 = tent_column(p + 2 * plane, sheet.pitch, tent, x);
    return color_clamp(color_apply(m, c));
}

static inline Color image_color(__global const half *image, int pitch, int height, int x, int y)
{
    const ulong plane = (ulong)height * pitch;
    __global const half *p = image + (ulong)y * pitch + x;
    Color c;
    c.c0 = JOIN(vload_half, PX)(0, p);
    c.c1 = JOIN(vload_half, PX)(0, p + plane);
    c.c2 = JOIN(vload_half, PX)(0, p + 2 * plane);
    return c;
}

/* What is behind the foreground, for every background that covers the whole picture. */
static inline Color background_color(const Controls *control, __global const float *blurred,
                                     Small small, __global const half *image, int image_pitch,
                                     int height, ulong frame, int x, int y)
{
    if (control->background == BACKGROUND_BLUR)
        return blurred_color(blurred, small, frame, x, y);
    if (control->background == BACKGROUND_IMAGE)
        return image_color(image, image_pitch, height, x, y);
    Color c;
    c.c0 = control->color[0];
    c.c1 = control->color[1];
    c.c2 = control->color[2];
    return c;
}

/* @color over @ground, which covers @cover (0..1); straight alpha. @share: of @color, 0..1. */
static inline Color compose_over(Color color, Color ground, float cover, Floats *share)
{
#if OUT_A < 0
    return color_mix(ground, color, *share);
#else
    const Floats alpha = *share + (1.0f - *share) * cover;
    const Floats part = cover == 1.0f ? *share : *share / fmax(alpha, 1e-6f);
    *share = alpha;
    return color_mix(ground, color, part);
#endif
}

/* Global: strips, rows or pairs of rows, frames. */
__kernel void
video_compose(__global const uchar *restrict src, Picture in, __global uchar *restrict dst,
              Picture out, float16 m, __global const ushort *restrict alpha, int alpha_pitch,
              __global const Controls *restrict controls, __global const float *restrict paint,
              Sheet paint_sheet, float16 paint_matrix, __global const float *restrict blurred,
              __global const float *restrict behind, __global const float *restrict front,
              Small small, __global const half *restrict image, int image_pitch)
{
    const int x = get_global_id(0) * PX, y = get_global_id(1) << OUT_SY;
    const ulong frame = get_global_id(2);
    const Controls control = controls[frame];
    src += frame * in.frame;
    dst += frame * out.frame;
    Color colors[1 + OUT_SY];
    for (int i = 0; i <= OUT_SY; i++) {
        /* A last row without a partner pairs with itself. */
        const int row = min(y + i, out.height - 1);
        __global const ushort *line = alpha + (frame * out.height + row) * alpha_pitch + x;
        const Floats matte = TO_FLOATS(LOAD_PX(line)) * (1.0f / 65535.0f);
        const Floats own = load_alpha(src, &in, x, row) * (1.0f / 255.0f);
        Floats share = matte * own;
#if OUT_KIND == KIND_GRAY
        colors[i].c0 = 255.0f * share;
#else
        Color color = load_color(src, &in, m, x, row);
#if FOREGROUND
        /* The network's colour belongs to the edge, where the frame's is mixed with what was
         * behind; towards either side the frame's own pixels come back. */
        const Floats edge = clamp(8.0f * fmin(share, 1.0f - share), 0.0f, 1.0f);
        if (control.background != BACKGROUND_KEEP)
            color = color_mix(color, paint_color(paint, paint_sheet, paint_matrix, frame, x, row),
                              edge);
#endif
        if (control.estimate)
            color = estimated_color(color, blurred_color(front, small, frame, x, row),
                                    blurred_color(behind, small, frame, x, row), matte);
        if (control.background == BACKGROUND_KEEP)
            share = own;
        else if (OUT_A < 0 || control.background != BACKGROUND_TRANSPARENT)
            color = compose_over(color,
                                 background_color(&control, blurred, small, image, image_pitch,
                                                  out.height, frame, x, row),
                                 control.background == BACKGROUND_COLOR ? control.color[3] : 1.0f,
                                 &share);
        colors[i] = color;
#endif
        store_pixels(dst, &out, x, row, colors[i], 255.0f * share);
    }
#if OUT_SX
    store_chroma(dst, &out, x, y, colors[0], colors[OUT_SY]);
#endif
}

/* The network's picture over the frame, share `blend` of it; alpha passes.
 * Global: strips, rows or pairs of rows, frames. */
__kernel void video_mix(__global const uchar *restrict src, Picture in,
                        __global uchar *restrict dst, Picture out, float16 m,
                        __global const Controls *restrict controls,
                        __global const float *restrict paint, Sheet paint_sheet,
                        float16 paint_matrix)
{
    const int x = get_global_id(0) * PX, y = get_global_id(1) << OUT_SY;
    const ulong frame = get_global_id(2);
    const float blend = controls[frame].blend;
    src += frame * in.frame;
    dst += frame * out.frame;
    Color colors[1 + OUT_SY];
    for (int i = 0; i <= OUT_SY; i++) {
        const int row = min(y + i, out.height - 1);
        colors[i] = load_color(src, &in, m, x, row);
        if (blend != 0.0f)
            colors[i] = color_mix(
                colors[i], paint_color(paint, paint_sheet, paint_matrix, frame, x, row), blend);
        store_pixels(dst, &out, x, row, colors[i], load_alpha(src, &in, x, row));
    }
#if OUT_SX
    store_chroma(dst, &out, x, y, colors[0], colors[OUT_SY]);
#endif
}
