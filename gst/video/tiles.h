/* tiles.h - whole frames through an image network that takes a piece of them at a time.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "facepaste.h"
#include "planes.h"

G_BEGIN_DECLS

/* One axis of the tiles, also in kernels/video_tile.cl: @n of @side pixels each, evenly over
 * @length. Neighbours share pixels; in the middle of those the result goes from one tile to the
 * other over @fade pixels, what is further out is not used. */
typedef struct {
    gint32 length, side, n;
    float fade;
} VideoSpan;

/* The fewest tiles of @side pixels that share at least @overlap with each neighbour, at most a
 * quarter of a tile. */
VideoSpan video_span(guint length, guint side, guint overlap);
/* The least side, a multiple of @multiple, with which no more tiles are needed than with @most. */
guint video_span_side(guint length, guint most, guint overlap, guint multiple);

/* Which two tiles a column or a row of the result comes from: @tile, and @share of the one after
 * it; where it is in them. Also in kernels/video_tile.cl. */
typedef struct {
    gint32 tile, at, next_at;
    float share;
} VideoTilePlace;

/* Place @at of a result that is @factor times as long. */
VideoTilePlace video_span_place(const VideoSpan *span, guint factor, guint at);

/* Everything for one device and one format and size of frames; its memory is written by every run,
 * so runs must be enqueued on one queue. */
typedef struct VideoTiles VideoTiles;

/* @network: takes pictures of any size and gives them @factor times as large, for @max_samples at
 * once. @in, @out: of the same format, @out @factor times as large.
 * NN_ERROR_INPUT if its tensors are not of that kind. */
VideoTiles *video_tiles_new(OclDevice *device, const GstVideoInfo *in, const GstVideoInfo *out,
                            const VideoFaceNetwork *network, guint factor, guint overlap,
                            guint max_samples, GError **error);
void video_tiles_free(VideoTiles *tiles);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VideoTiles, video_tiles_free)
/* Enqueues all that makes frames 0..@n_frames-1 of @out from those of @in: tiles, the network over
 * as many at once as it takes, also of several frames where these have few, and the frames from
 * what it gives. @shares: (nullable): of the network's picture in each frame, 0..1; the rest is the
 * frame, resized, bilinear, as alpha is. */
gboolean video_tiles_run(VideoTiles *tiles, OclQueue *compute, const VideoFrames *in,
                         const VideoFrames *out, guint n_frames, const float *shares,
                         GError **error);

G_END_DECLS
