/* range.c - the least and greatest value of pictures: columns in bands, then one of each per frame.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "range.h"

/* Bands of rows that are looked at side by side: enough work-items for a GPU at 320 columns. */
#define N_BANDS 8
/* Pairs that are left after the first joining: one work-item that joined all took 0.2 ms for 320
 * columns (H200, 2026-11). */
#define N_JOINED 64

struct VideoRange {
    OclKernel *columns, *join;
    cl_mem partial, joined, range;
};

VideoRange *video_range_new(OclDevice *device, guint width, guint max_frames, gboolean fp16,
                            GError **error)
{
    g_autoptr(VideoRange) range = g_new0(VideoRange, 1);
    const char *options = fp16 ? "-DFP16" : "";
    const gsize pair_b = 2 * sizeof(float);
    range->columns =
        video_kernel_new(device, "video_range.cl", "video_range_columns", error, "%s", options);
    if (!range->columns)
        return NULL;
    range->join =
        video_kernel_new(device, "video_range.cl", "video_range_join", error, "%s", options);
    if (!range->join)
        return NULL;
    range->partial = ocl_buffer_new(device, OCL_BUFFER_READ_WRITE,
                                    (gsize)max_frames * N_BANDS * width * pair_b, error);
    if (!range->partial)
        return NULL;
    range->joined =
        ocl_buffer_new(device, OCL_BUFFER_READ_WRITE, (gsize)max_frames * N_JOINED * pair_b, error);
    if (!range->joined)
        return NULL;
    range->range = ocl_buffer_new(device, OCL_BUFFER_READ_WRITE, max_frames * pair_b, error);
    if (!range->range)
        return NULL;
    return g_steal_pointer(&range);
}

void video_range_free(VideoRange *range)
{
    if (!range)
        return;
    ocl_kernel_free(range->columns);
    ocl_kernel_free(range->join);
    ocl_buffer_clear(&range->partial);
    ocl_buffer_clear(&range->joined);
    ocl_buffer_clear(&range->range);
    g_free(range);
}

gboolean video_range_run(VideoRange *range, OclQueue *compute, cl_mem memory, const VideoMap *map,
                         const VideoRect *rect, guint n_frames, GError **error)
{
    VideoMap part = *map;
    part.w = rect->width;
    part.h = rect->height;
    const VideoArgument columns[] = {
        VIDEO_ARG(memory),  VIDEO_ARG(part),           VIDEO_ARG(rect->x),
        VIDEO_ARG(rect->y), VIDEO_ARG(range->partial),
    };
    if (!video_launch(compute, range->columns, columns, G_N_ELEMENTS(columns), rect->width, N_BANDS,
                      n_frames, error))
        return FALSE;
    gint32 n = (gint32)(rect->width * N_BANDS), n_joined = N_JOINED;
    const VideoArgument some[] = { VIDEO_ARG(range->partial), VIDEO_ARG(n),
                                   VIDEO_ARG(range->joined) };
    const VideoArgument one[] = { VIDEO_ARG(range->joined), VIDEO_ARG(n_joined),
                                  VIDEO_ARG(range->range) };
    return video_launch(compute, range->join, some, G_N_ELEMENTS(some), N_JOINED, n_frames, 1,
                        error) &&
           video_launch(compute, range->join, one, G_N_ELEMENTS(one), 1, n_frames, 1, error);
}

cl_mem video_range_memory(const VideoRange *range)
{
    return range->range;
}
