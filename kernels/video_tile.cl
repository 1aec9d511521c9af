/* video_tile.cl - whole frames through an image network, tile by tile, and together again.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Defines: FP16 where the tensor holds halves.
 * Buffers: frames bytes of n frames of any 8-bit format; tensors 3 channels of any strides; kept
 *   [tiles][height][width][4] half: the network's pictures, R G B 0..255 and nothing.
 * Tiles of a frame are numbered row by row, those of the next frame follow.
 * Accumulation: float.
 * Launch: see each kernel; any local size.
 */
#include "video_planes.clh"

/* One axis of the tiles: @n of @side pixels each, spread evenly over @length so that the first
 * begins and the last ends with the frame. */
typedef struct {
    int length, side, n;
    float fade;
} Span;

static inline int span_start(const Span *span, int i)
{
    return span->n > 1 ? i * (span->length - span->side) / (span->n - 1) : 0;
}

/* Which two tiles a column or a row of the result comes from: @tile, and @share of the one after
 * it; where it is in them. */
typedef struct {
    int tile, at, next_at;
    float share;
} Place;

/* Tiles @first and on of the frames from @first_frame on into the samples of a tensor; where the
 * frame is smaller than a tile, its edge repeats.
 * Global: tensor columns, rows, tiles. */
__kernel void tile_cut(__global const uchar *restrict frames, Format format, float16 to_rgb,
                       Span across, Span down, int first_frame, int first, Channels channels,
                       __global REAL *restrict dst, Map map)
{
    const int x = get_global_id(0), y = get_global_id(1), n = get_global_id(2);
    const int tile = first + n, column = tile % across.n, row = tile / across.n % down.n;
    frames += (first_frame + tile / (across.n * down.n)) * format.frame;
    const float at_x = (float)(span_start(&across, column) + x);
    const float at_y = (float)(span_start(&down, row) + y);
    const float3 color = (float3)(sample_frame(frames, &format, 0, at_x, at_y),
                                  sample_frame(frames, &format, 1, at_x, at_y),
                                  sample_frame(frames, &format, 2, at_x, at_y));
    store_rgb(dst, map, &channels, n, x, y, clamp(apply_matrix(to_rgb, color), 0.0f, 255.0f));
}

/* The network's pictures of tiles @first and on, kept until all of a frame are there.
 * Global: columns, rows, tiles. */
__kernel void tile_keep(__global const REAL *restrict src, Map map, Channels channels, int first,
                        __global half *restrict kept)
{
    const int x = get_global_id(0), y = get_global_id(1), n = get_global_id(2);
    const float3 rgb = clamp(load_rgb(src, map, &channels, n, x, y), 0.0f, 255.0f);
    vstore_half4((float4)(rgb, 0.0f), ((ulong)(first + n) * map.h + y) * map.w + x, kept);
}

/* The kept pictures of a frame: [down.n][across.n][height][width]. */
typedef struct {
    int columns, width, height;
} Sheet;

/* The colour in row @at_y of the tiles of row @row: of one, or of two beside each other. */
static inline float3 row_pixel(__global const half *kept, Sheet sheet, int row, Place across,
                               int at_y)
{
    const ulong tile = (ulong)row * sheet.columns + across.tile;
    const ulong at = (tile * sheet.height + at_y) * sheet.width;
    const float3 color = vload_half4(at + across.at, kept).xyz;
    if (across.share == 0.0f)
        return color;
    const ulong next = at + (ulong)sheet.height * sheet.width;
    return mix(color, vload_half4(next + across.next_at, kept).xyz, across.share);
}

/* The colour at a pixel of the enlarged frame, of the up to four tiles there. */
static inline float3 tiles_at(__global const half *kept, Sheet sheet, Place across, Place down)
{
    const float3 color = row_pixel(kept, sheet, down.tile, across, down.at);
    if (down.share == 0.0f)
        return color;
    return mix(color, row_pixel(kept, sheet, down.tile + 1, across, down.next_at), down.share);
}

static inline void store_byte(__global uchar *p, float value)
{
    *p = convert_uchar_sat(clamp(value, 0.0f, 255.0f) + 0.5f);
}

/* Where sample @at of the result is in the frame, of any component. */
static inline float place_before(int at, int factor)
{
    return ((float)at + 0.5f) / (float)factor - 0.5f;
}

/* Sample @x, @y of component @c of the result: @share of @value, the rest is the frame's. */
static inline float mixed(__global const uchar *src, const Format *format, int c, int x, int y,
                          int factor, float share, float value)
{
    if (share == 1.0f)
        return value;
    const float before =
        sample_component(src, format, c, place_before(x, factor), place_before(y, factor));
    return mix(before, value, share);
}

/* The fourth byte of a pixel: alpha, resized from @from, or opaque where that is not (step 0).
 * @to: step 0: there is none. */
typedef struct {
    ulong from_offset, to_offset;
    int from_pitch, to_pitch;
    int from_step, to_step;
} Alpha;

static inline float alpha_at(__global const uchar *src, const Alpha *alpha, const Span *across,
                             const Span *down, int factor, int x, int y)
{
    if (alpha->from_step == 0)
        return 255.0f;
    const float u = place_before(x, factor), left = floor(u);
    const float v = place_before(y, factor), top = floor(v);
    const int x0 = clamp((int)left, 0, across->length - 1) * alpha->from_step;
    const int x1 = clamp((int)left + 1, 0, across->length - 1) * alpha->from_step;
    __global const uchar *p = src + alpha->from_offset;
    __global const uchar *upper =
        p + (ulong)clamp((int)top, 0, down->length - 1) * alpha->from_pitch;
    __global const uchar *lower =
        p + (ulong)clamp((int)top + 1, 0, down->length - 1) * alpha->from_pitch;
    return mix(mix((float)upper[x0], (float)upper[x1], u - left),
               mix((float)lower[x0], (float)lower[x1], u - left), v - top);
}

/* All pixels of the enlarged frame @frame, from its kept tiles, the @place-th there. @columns, @rows:
 * of the enlarged frame. @share: of the network's picture, 0..1. A cell is the pixels that share a
 * chroma sample. Global: cells of a row, rows of cells. */
__kernel void tile_join(__global const half *restrict kept, Span across, Span down, int factor,
                        __global const Place *restrict columns, __global const Place *restrict rows,
                        int place, int frame, __global const uchar *restrict src,
                        Format src_format, Alpha alpha, __global uchar *restrict dst, Format format,
                        int halved_x, int halved_y, float16 from_rgb, float share)
{
    const int cell_x = get_global_id(0), cell_y = get_global_id(1);
    const Sheet sheet = { across.n, factor * across.side, factor * down.side };
    kept += (ulong)place * across.n * down.n * 4 * sheet.height * sheet.width;
    src += frame * src_format.frame;
    dst += frame * format.frame;
    float2 chroma = 0.0f;
    int n_pixels = 0;
    for (int y = cell_y << halved_y; y < min((cell_y + 1) << halved_y, format.height[0]); y++) {
        const Place v = rows[y];
        for (int x = cell_x << halved_x; x < min((cell_x + 1) << halved_x, format.width[0]); x++) {
            const float3 color = apply_matrix(from_rgb, tiles_at(kept, sheet, columns[x], v));
            store_byte(dst + format.offset[0] + (ulong)y * format.pitch[0] + x * format.step[0],
                       mixed(src, &src_format, 0, x, y, factor, share, color.x));
            if (alpha.to_step)
                store_byte(dst + alpha.to_offset + (ulong)y * alpha.to_pitch + x * alpha.to_step,
                           alpha_at(src, &alpha, &across, &down, factor, x, y));
            chroma += color.yz;
            n_pixels++;
        }
    }
    chroma /= (float)n_pixels;
    store_byte(dst + format.offset[1] + (ulong)cell_y * format.pitch[1] + cell_x * format.step[1],
               mixed(src, &src_format, 1, cell_x, cell_y, factor, share, chroma.x));
    store_byte(dst + format.offset[2] + (ulong)cell_y * format.pitch[2] + cell_x * format.step[2],
               mixed(src, &src_format, 2, cell_x, cell_y, factor, share, chroma.y));
}
