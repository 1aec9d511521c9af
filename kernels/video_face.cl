/* video_face.cl - faces out of frames into a restoring network, and back over the frames.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Defines: FP16 where the tensor holds halves.
 * Buffers: frames bytes of n frames of any 8-bit format, changed in place by face_paste; faces one
 *   row of the table per face; tensors 3 channels of any strides; blocks [faces][16][16][3] float:
 *   a face seen from afar; verdicts one per face; restored [faces][height][width][4] half, R G B
 *   and, where detail is kept, the crop's brightness; masks [faces][height][width] float, 0..1, from
 *   a network that tells the parts of faces apart. Colours are R G B, 0..255. Positions count from
 *   the middle of the first pixel.
 * Accumulation: float.
 * Launch: see each kernel; any local size. A work-item is a pixel, or a cell of pixels that share
 *   chroma: faces are small and lie anywhere, so that rows of vectors would not pay.
 */
#include "video_planes.clh"

/* A face of the batch: (u, v) = (m[0] x + m[1] y + m[2], m[3] x + m[4] y + m[5]). */
typedef struct {
    float to_frame[6]; /* from the tensor's pixels */
    float to_face[6];  /* from the frame's pixels to the restored picture's */
    float spread;      /* pixels of the frame per pixel of the tensor */
    float detail;      /* pixels of the restored picture per pixel of the frame */
    float blend;
    float blur;  /* width of the mask's soft edge, as a share of the crop */
    float least; /* similarity */
    float finer; /* share that is kept of the detail that the crop lost, 0..1 */
    int match;   /* the colours */
    int soften;
    int frame;
    int first, count;             /* faces of the same frame: rows of the table */
    int left, top, columns, rows; /* of the cells that the crop touches */
} Face;

/* What came of comparing the restored face with the one before: v * gain + shift is its colour. */
typedef struct {
    float gain[3], shift[3];
    float similarity; /* -1..1 */
    float share;      /* of the restored face in the result, 0..1 */
} Verdict;

/* Samples along each axis of a pixel that covers @extent others. */
static inline int samples_of(float extent)
{
    return clamp((int)ceil(extent - 0.01f), 1, 8);
}

/* The share of the restored face at @u, @v, 0..1 over the crop: 1 inside, 0 from 1/32 before the
 * edge on, corners rounded; @blur is the width of the way between them. */
static inline float mask_at(float u, float v, float blur)
{
    const float radius = 0.25f, half_side = 0.5f - 0.03125f;
    const float x = fabs(u - 0.5f) - (half_side - radius);
    const float y = fabs(v - 0.5f) - (half_side - radius);
    const float beyond_x = fmax(x, 0.0f), beyond_y = fmax(y, 0.0f);
    const float outside =
        sqrt(beyond_x * beyond_x + beyond_y * beyond_y) + fmin(fmax(x, y), 0.0f) - radius;
    return smoothstep(0.0f, fmax(blur, 1e-3f), -outside);
}

static inline float2 apply_affine(__global const float *m, float x, float y)
{
    return (float2)(m[0] * x + m[1] * y + m[2], m[3] * x + m[4] * y + m[5]);
}

/* Faces @first and on into the samples of a tensor, turned upright.
 * Global: tensor columns, rows, faces. */
__kernel void face_crop(__global const uchar *restrict frames, Format format, float16 to_rgb,
                        __global const Face *restrict faces, int first, Channels channels,
                        __global REAL *restrict dst, Map map)
{
    const int x = get_global_id(0), y = get_global_id(1), n = get_global_id(2);
    __global const Face *face = faces + first + n;
    frames += face->frame * format.frame;
    const int k = samples_of(face->spread);
    float3 sum = 0.0f;
    for (int j = 0; j < k; j++)
        for (int i = 0; i < k; i++) {
            const float2 at =
                apply_affine(face->to_frame, (float)x + ((float)i + 0.5f) / (float)k - 0.5f,
                             (float)y + ((float)j + 0.5f) / (float)k - 0.5f);
            sum.x += sample_frame(frames, &format, 0, at.x, at.y);
            sum.y += sample_frame(frames, &format, 1, at.x, at.y);
            sum.z += sample_frame(frames, &format, 2, at.x, at.y);
        }
    const float3 rgb = clamp(apply_matrix(to_rgb, sum / (float)(k * k)), 0.0f, 255.0f);
    store_rgb(dst, map, &channels, n, x, y, rgb);
}

/* Of a pixel in the frame's components: Y, or the luma of R G B. */
static inline float brightness(int is_rgb, float3 components)
{
    return is_rgb ? dot(components, (float3)(0.299f, 0.587f, 0.114f)) : components.x;
}

/* How bright the crops are that the network is given, beside where its pictures will be kept; for
 * a tensor of their size. Global: columns, rows, faces. */
__kernel void face_remember(__global const REAL *restrict src, Map map, Channels channels,
                            float16 from_rgb, int is_rgb, int first, __global half *restrict restored)
{
    const int x = get_global_id(0), y = get_global_id(1), n = get_global_id(2);
    const float3 rgb = load_rgb(src, map, &channels, n, x, y);
    vstore_half(brightness(is_rgb, apply_matrix(from_rgb, rgb)),
                (((ulong)(first + n) * map.h + y) * map.w + x) * 4 + 3, restored);
}

#define BLOCKS 16
/* VIDEO_FACE_FADE: over so much of similarity below the least one a face fades away. */
#define FADE 0.1f

/* The mean colours of 16 x 16 blocks of a tensor's pictures.
 * Global: 16, 16, faces. */
__kernel void face_blocks(__global const REAL *restrict src, Map map, Channels channels,
                          __global float *restrict blocks)
{
    const int x = get_global_id(0), y = get_global_id(1), n = get_global_id(2);
    const int left = x * map.w / BLOCKS, right = max((x + 1) * map.w / BLOCKS, left + 1);
    const int top = y * map.h / BLOCKS, bottom = max((y + 1) * map.h / BLOCKS, top + 1);
    float3 sum = 0.0f;
    for (int j = top; j < bottom; j++)
        for (int i = left; i < right; i++)
            sum += clamp(load_rgb(src, map, &channels, n, i, j), 0.0f, 255.0f);
    sum /= (float)((right - left) * (bottom - top));
    vstore3(sum, (n * BLOCKS + y) * BLOCKS + x, blocks);
}

/* How much the restored face is still the one before, and the colour transfer back to it (Reinhard
 * et al. 2001: mean and deviation of each channel). Both look at the blocks' means, so that what
 * the network is there for, fine detail, counts for neither. Similarity is the contrast and
 * structure term of SSIM over the blocks' luma, weighted by the mask. Global: faces. */
__kernel void face_judge(__global const float *restrict before,
                         __global const float *restrict after, __global const Face *restrict faces,
                         int first, __global Verdict *restrict verdicts)
{
    const int n = get_global_id(2);
    __global const Face *face = faces + first + n;
    before += n * BLOCKS * BLOCKS * 3;
    after += n * BLOCKS * BLOCKS * 3;
    /* Channels, and luma. */
    float4 a1 = 0.0f, a2 = 0.0f, b1 = 0.0f, b2 = 0.0f, ab = 0.0f;
    float weights = 0.0f;
    for (int i = 0; i < BLOCKS * BLOCKS; i++) {
        const float weight = mask_at(((float)(i % BLOCKS) + 0.5f) / BLOCKS,
                                     ((float)(i / BLOCKS) + 0.5f) / BLOCKS, face->blur);
        const float3 luma = (float3)(0.299f, 0.587f, 0.114f);
        const float3 p = vload3(i, before), q = vload3(i, after);
        const float4 a = (float4)(p, dot(p, luma)), b = (float4)(q, dot(q, luma));
        a1 += weight * a;
        a2 += weight * a * a;
        b1 += weight * b;
        b2 += weight * b * b;
        ab += weight * a * b;
        weights += weight;
    }
    a1 /= weights;
    b1 /= weights;
    const float4 a_variance = fmax(a2 / weights - a1 * a1, 0.0f);
    const float4 b_variance = fmax(b2 / weights - b1 * b1, 0.0f);
    const float4 covariance = ab / weights - a1 * b1;
    /* SSIM's constant for this term: (0.03 * 255)^2. */
    const float steady = 58.5225f;
    Verdict verdict;
    verdict.similarity = (2.0f * covariance.w + steady) / (a_variance.w + b_variance.w + steady);
    verdict.share = smoothstep(face->least - FADE, face->least, verdict.similarity);
    const float4 gain = clamp(sqrt((a_variance + 1.0f) / (b_variance + 1.0f)), 0.5f, 2.0f);
    const float4 shift = a1 - gain * b1;
    verdict.gain[0] = face->match ? gain.x : 1.0f;
    verdict.gain[1] = face->match ? gain.y : 1.0f;
    verdict.gain[2] = face->match ? gain.z : 1.0f;
    verdict.shift[0] = face->match ? shift.x : 0.0f;
    verdict.shift[1] = face->match ? shift.y : 0.0f;
    verdict.shift[2] = face->match ? shift.z : 0.0f;
    verdicts[first + n] = verdict;
}

/* The network's pictures, kept until all faces of the batch are restored: in the colours that the
 * verdict says, small faces softened by 1 2 1 both ways as GPEN's own program does.
 * Global: columns, rows, faces. */
__kernel void face_keep(__global const REAL *restrict src, Map map, Channels channels,
                        __global const Face *restrict faces,
                        __global const Verdict *restrict verdicts, int first,
                        __global half *restrict restored)
{
    const int x = get_global_id(0), y = get_global_id(1), n = get_global_id(2);
    float3 rgb = load_rgb(src, map, &channels, n, x, y);
    if (faces[first + n].soften) {
        rgb = 0.0f;
        for (int j = -1; j <= 1; j++)
            for (int i = -1; i <= 1; i++)
                rgb += load_rgb(src, map, &channels, n, clamp(x + i, 0, map.w - 1),
                                clamp(y + j, 0, map.h - 1)) *
                       (float)((2 - abs(i)) * (2 - abs(j))) / 16.0f;
    }
    const Verdict verdict = verdicts[first + n];
    const ulong at = ((ulong)(first + n) * map.h + y) * map.w + x;
    const float4 value = (float4)(rgb.x * verdict.gain[0] + verdict.shift[0],
                                  rgb.y * verdict.gain[1] + verdict.shift[1],
                                  rgb.z * verdict.gain[2] + verdict.shift[2],
                                  faces[first + n].finer > 0.0f ? vload_half(4 * at + 3, restored)
                                                                : 0.0f);
    vstore_half4(clamp(value, 0.0f, 255.0f), at, restored);
}

static inline float4 restored_pixel(__global const half *picture, int width, int height, int x,
                                    int y)
{
    return vload_half4((ulong)clamp(y, 0, height - 1) * width + clamp(x, 0, width - 1), picture);
}

/* The colour, and what else is kept, at @x, @y of a restored picture, bilinear. */
static inline float4 restored_between(__global const half *picture, int width, int height, float x,
                                      float y)
{
    const float left = floor(x), top = floor(y);
    const int x0 = (int)left, y0 = (int)top;
    return mix(mix(restored_pixel(picture, width, height, x0, y0),
                   restored_pixel(picture, width, height, x0 + 1, y0), x - left),
               mix(restored_pixel(picture, width, height, x0, y0 + 1),
                   restored_pixel(picture, width, height, x0 + 1, y0 + 1), x - left),
               y - top);
}

/* The same at a frame's pixel, the mean over what the pixel covers. */
static inline float4 restored_at(__global const half *picture, int width, int height,
                                 __global const Face *face, int x, int y)
{
    const int k = samples_of(face->detail);
    float4 sum = 0.0f;
    for (int j = 0; j < k; j++)
        for (int i = 0; i < k; i++) {
            const float2 at =
                apply_affine(face->to_face, (float)x + ((float)i + 0.5f) / (float)k - 0.5f,
                             (float)y + ((float)j + 0.5f) / (float)k - 0.5f);
            sum += restored_between(picture, width, height, at.x, at.y);
        }
    return sum / (float)(k * k);
}

static inline bool touches(__global const Face *face, int x, int y)
{
    return x >= face->left && x < face->left + face->columns && y >= face->top &&
           y < face->top + face->rows;
}

/* Restored faces @first and on into the samples of a tensor of another size, for the network that
 * tells their parts apart.
 * Global: tensor columns, rows, faces. */
__kernel void face_feed(__global const half *restrict restored, int width, int height, int first,
                        Channels channels, __global REAL *restrict dst, Map map)
{
    const int x = get_global_id(0), y = get_global_id(1), n = get_global_id(2);
    const float step = (float)width / (float)map.w;
    const int k = samples_of(step);
    restored += (ulong)(first + n) * 4 * height * width;
    float3 sum = 0.0f;
    for (int j = 0; j < k; j++)
        for (int i = 0; i < k; i++)
            sum += restored_between(
                       restored, width, height,
                       ((float)x + ((float)i + 0.5f) / (float)k) * step - 0.5f,
                       ((float)y + ((float)j + 0.5f) / (float)k) * (float)height / (float)map.h -
                           0.5f)
                       .xyz;
    store_rgb(dst, map, &channels, n, x, y, sum / (float)(k * k));
}

/* What of a face counts: with one channel its value, otherwise 1 where the strongest class is none
 * of @left_out, a bit for each.
 * Global: tensor columns, rows, faces. */
__kernel void face_parts(__global const REAL *restrict src, Map map, uint left_out,
                         __global float *restrict mask)
{
    const int x = get_global_id(0), y = get_global_id(1), n = get_global_id(2);
    const ulong at = map.offset + n * map.sample + (ulong)y * map.sh + (ulong)x * map.sw;
    float most = LOAD(src, at);
    int strongest = 0;
    for (int c = 1; c < map.c; c++) {
        const float value = LOAD(src, at + (ulong)c * map.sc);
        if (value > most) {
            most = value;
            strongest = c;
        }
    }
    const float counts = left_out >> strongest & 1u ? 0.0f : 1.0f;
    mask[((ulong)n * map.h + y) * map.w + x] = map.c == 1 ? clamp(most, 0.0f, 1.0f) : counts;
}

/* A Gaussian along (@dx, @dy) whose sigma is a quarter of the mask's soft edge; nothing lies
 * outside.
 * @src starts with face @first_src, @dst with face @first_dst of the table.
 * Global: columns, rows, faces. */
__kernel void face_blur(__global const float *restrict src, int first_src,
                        __global const Face *restrict faces, int first, int dx, int dy,
                        __global float *restrict dst, int first_dst)
{
    const int x = get_global_id(0), y = get_global_id(1), n = get_global_id(2);
    const int width = get_global_size(0), height = get_global_size(1);
    const float sigma = fmax(0.25f * faces[first + n].blur * (float)width, 0.1f);
    const int reach = (int)ceil(3.0f * sigma);
    src += (ulong)(first_src + n) * height * width;
    float sum = 0.0f, weights = 0.0f;
    for (int k = -reach; k <= reach; k++) {
        const int i = x + k * dx, j = y + k * dy;
        const float weight = exp(-0.5f * (float)(k * k) / (sigma * sigma));
        weights += weight;
        if (i >= 0 && i < width && j >= 0 && j < height)
            sum += weight * src[j * width + i];
    }
    dst[(ulong)(first_dst + n) * height * width + y * width + x] = sum / weights;
}

/* A mask at @u, @v, 0..1 over the crop, bilinear. */
static inline float sample_mask(__global const float *mask, int width, int height, float u, float v)
{
    const float x = u * (float)width - 0.5f, y = v * (float)height - 0.5f;
    const float left = floor(x), top = floor(y);
    const int x0 = clamp((int)left, 0, width - 1), x1 = clamp((int)left + 1, 0, width - 1);
    const int y0 = clamp((int)top, 0, height - 1), y1 = clamp((int)top + 1, 0, height - 1);
    return mix(mix(mask[y0 * width + x0], mask[y0 * width + x1], x - left),
               mix(mask[y1 * width + x0], mask[y1 * width + x1], x - left), y - top);
}

/* Masks of @width x @height, 0: there are none. */
typedef struct {
    int width, height;
} MaskSize;

/* The face whose mask is strongest at pixel @x, @y of a cell, and how strong; -1 where there is
 * none. */
static inline int strongest_at(__global const Face *faces, __global const Verdict *verdicts,
                               __global const float *masks, MaskSize size, int first, int last,
                               int width, int height, int cell_x, int cell_y, int x, int y,
                               float *strength)
{
    int strongest = -1;
    *strength = 0.0f;
    for (int i = first; i < last; i++) {
        if (!touches(faces + i, cell_x, cell_y))
            continue;
        const float2 at = apply_affine(faces[i].to_face, (float)x, (float)y);
        const float u = (at.x + 0.5f) / (float)width, v = (at.y + 0.5f) / (float)height;
        float mask = faces[i].blend * verdicts[i].share * mask_at(u, v, faces[i].blur);
        if (size.width > 0)
            mask *= sample_mask(masks + (ulong)i * size.height * size.width, size.width,
                                size.height, u, v);
        if (mask > *strength) {
            *strength = mask;
            strongest = i;
        }
    }
    return strongest;
}

static inline float component_at(__global const uchar *frame, const Format *format, int c, int x,
                                 int y)
{
    return (float)frame[format->offset[c] + (ulong)y * format->pitch[c] + x * format->step[c]];
}

static inline void store_mixed(__global uchar *p, float share, float value)
{
    const float before = (float)*p;
    *p = convert_uchar_sat(clamp(before + share * (value - before), 0.0f, 255.0f) + 0.5f);
}

/* A cell is the pixels that share a chroma sample: one, two of a row, or a square of four. The
 * first face that touches it does it for all faces there, so no two work-items write the same.
 * Where masks overlap the stronger one decides. What no mask covers is not written. Detail
 * that the crop lost is given back: in what the frame is brighter than the crop. Global: most
 * columns of a face, most rows, faces. */
__kernel void face_paste(__global uchar *restrict frames, Format format, int halved_x, int halved_y,
                         float16 from_rgb, int is_rgb, __global const Face *restrict faces,
                         __global const Verdict *restrict verdicts,
                         __global const half *restrict restored, int width, int height,
                         __global const float *restrict masks, MaskSize size)
{
    const int n = get_global_id(2);
    __global const Face *face = faces + n;
    const int cell_x = face->left + (int)get_global_id(0);
    const int cell_y = face->top + (int)get_global_id(1);
    if (!touches(face, cell_x, cell_y))
        return;
    for (int i = face->first; i < n; i++)
        if (touches(faces + i, cell_x, cell_y))
            return;
    frames += face->frame * format.frame;
    float2 chroma = 0.0f;
    float chroma_share = 0.0f;
    int n_pixels = 0;
    for (int y = cell_y << halved_y; y < min((cell_y + 1) << halved_y, format.height[0]); y++)
        for (int x = cell_x << halved_x; x < min((cell_x + 1) << halved_x, format.width[0]); x++) {
            float share;
            const int best =
                strongest_at(faces, verdicts, masks, size, face->first, face->first + face->count,
                             width, height, cell_x, cell_y, x, y, &share);
            n_pixels++;
            if (best < 0)
                continue;
            const float4 kept = restored_at(restored + (ulong)best * 4 * height * width, width,
                                            height, faces + best, x, y);
            float3 color = apply_matrix(from_rgb, kept.xyz);
            if (faces[best].finer > 0.0f) {
                const float3 here = (float3)(component_at(frames, &format, 0, x, y),
                                             component_at(frames, &format, 1, cell_x, cell_y),
                                             component_at(frames, &format, 2, cell_x, cell_y));
                const float finer = faces[best].finer * (brightness(is_rgb, here) - kept.w);
                color += is_rgb ? finer : (float3)(finer, 0.0f, 0.0f);
            }
            store_mixed(frames + format.offset[0] + (ulong)y * format.pitch[0] + x * format.step[0],
                        share, color.x);
            chroma += share * color.yz;
            chroma_share += share;
        }
    if (chroma_share == 0.0f)
        return;
    chroma /= chroma_share;
    chroma_share /= (float)n_pixels;
    store_mixed(frames + format.offset[1] + (ulong)cell_y * format.pitch[1] +
                    cell_x * format.step[1],
                chroma_share, chroma.x);
    store_mixed(frames + format.offset[2] + (ulong)cell_y * format.pitch[2] +
                    cell_x * format.step[2],
                chroma_share, chroma.y);
}
