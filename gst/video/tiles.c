/* tiles.c - whole frames through an image network that takes a piece of them at a time.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a network gives near the edge of a tile is wrong, because it does not see what is beyond.
 * So tiles overlap: of the pixels that neighbours share, those near either edge are not used, and
 * in between one picture fades into the other, which hides what is left of the difference.
 */
#include "tiles.h"

#include <math.h>

#include "color.h"
#include "frames.h"

/* Where fades stay apart whatever the number of tiles. */
#define MOST_OVERLAP_SHARE 4

/* As in kernels/video_tile.cl. */
typedef struct {
    guint64 from_offset, to_offset;
    gint32 from_pitch, to_pitch;
    gint32 from_step, to_step;
} Alpha;

struct VideoTiles {
    OclDevice *device;
    NnSlot *slot;
    guint max_samples, frames_at_once;
    NnPlace input, output;
    VideoMap in_map, out_map;
    VideoChannels in_channels, out_channels;
    VideoPlanes in_planes, out_planes;
    Alpha alpha;
    guint halved_x, halved_y;
    cl_float16 to_rgb, from_rgb;
    gint32 factor;
    VideoSpan across, down;
    VideoTilePlace *places; /* of the columns, then of the rows */
    cl_mem columns, rows;   /* the same on the device, from the first run on */
    guint n_columns, n_rows;
    OclKernel *cut, *keep, *join;
    cl_mem kept; /* [frames_at_once][down.n][across.n][height][width][4] half */
};

/* ---------------------------------------------------------------- where tiles are */

static guint least_n(guint length, guint side, guint overlap)
{
    return length <= side ? 1 : 1 + (length - side + (side - overlap) - 1) / (side - overlap);
}

VideoSpan video_span(guint length, guint side, guint overlap)
{
    const guint shared = MIN(overlap, side / MOST_OVERLAP_SHARE);
    return (VideoSpan){ .length = (gint32)length,
                        .side = (gint32)side,
                        .n = (gint32)least_n(length, side, shared),
                        .fade = (float)shared / 2 };
}

guint video_span_side(guint length, guint most, guint overlap, guint multiple)
{
    const guint side = MAX(most / multiple, 1) * multiple;
    const guint shared = MIN(overlap, side / MOST_OVERLAP_SHARE);
    const guint n = least_n(length, side, shared);
    const guint least = (length + (n - 1) * shared + n - 1) / n;
    return MIN(side, (least + multiple - 1) / multiple * multiple);
}

static gint32 span_start(const VideoSpan *span, gint32 i)
{
    return span->n > 1 ? i * (span->length - span->side) / (span->n - 1) : 0;
}

VideoTilePlace video_span_place(const VideoSpan *span, guint factor, guint at)
{
    if (span->n < 2)
        return (VideoTilePlace){ .at = (gint32)at };
    /* The seam that is nearest. */
    const double middle = (at + 0.5) / factor;
    const double pitch = (double)(span->length - span->side) / (span->n - 1);
    const gint32 k = (gint32)CLAMP(floor((middle - 0.5 * span->side) / pitch), 0, span->n - 2);
    const gint32 start = span_start(span, k), next = span_start(span, k + 1);
    const double meet = 0.5 * (start + span->side + next);
    const double share = (middle - meet) / MAX(span->fade, 1e-3) + 0.5;
    const gint32 n = (gint32)factor, own = share >= 1 ? next : start;
    return (VideoTilePlace){ .tile = share >= 1 ? k + 1 : k,
                             .at = CLAMP((gint32)at - n * own, 0, n * span->side - 1),
                             .next_at = CLAMP((gint32)at - n * next, 0, n * span->side - 1),
                             .share = share >= 1 ? 0 : (float)MAX(share, 0) };
}

/* ---------------------------------------------------------------- building */

static gboolean check_tensors(const VideoTiles *self, GError **error)
{
    const VideoMap *in = &self->in_map, *out = &self->out_map;
    if (in->c == 3 && out->c == 3 && out->w == self->factor * in->w &&
        out->h == self->factor * in->h)
        return TRUE;
    g_set_error(error, NN_ERROR, NN_ERROR_INPUT,
                "a network that enlarges pictures %d times takes 3 channels and gives 3, not "
                "%d x %d with %d and %d x %d with %d",
                self->factor, in->w, in->h, in->c, out->w, out->h, out->c);
    return FALSE;
}

/* The byte of four that is no colour: alpha, or padding, which becomes opaque. */
static Alpha find_alpha(const GstVideoInfo *in, const GstVideoInfo *out, const VideoPlanes *planes,
                        const VideoPlanes *out_planes)
{
    if (GST_VIDEO_INFO_N_PLANES(in) > 1 || GST_VIDEO_INFO_COMP_PSTRIDE(in, 0) != 4 ||
        GST_VIDEO_INFO_COMP_PSTRIDE(in, 1) != 4 || !GST_VIDEO_INFO_IS_RGB(in))
        return (Alpha){ 0 };
    guint64 at = 0 + 1 + 2 + 3;
    for (guint c = 0; c < 3; c++)
        at -= (guint64)GST_VIDEO_INFO_COMP_POFFSET(in, c);
    const guint64 base = planes->offset[0] - (guint64)GST_VIDEO_INFO_COMP_POFFSET(in, 0);
    const guint64 out_base = out_planes->offset[0] - (guint64)GST_VIDEO_INFO_COMP_POFFSET(out, 0);
    return (Alpha){ .from_offset = base + at,
                    .to_offset = out_base + at,
                    .from_pitch = planes->pitch[0],
                    .to_pitch = out_planes->pitch[0],
                    .from_step = GST_VIDEO_INFO_HAS_ALPHA(in) ? 4 : 0,
                    .to_step = 4 };
}

static gboolean build_kernels(VideoTiles *self, GError **error)
{
    const VideoTensorKernel kernels[] = {
        { &self->cut, "tile_cut", self->input.type },
        { &self->keep, "tile_keep", self->output.type },
        { &self->join, "tile_join", self->output.type },
    };
    return video_tensor_kernels_new(self->device, "video_tile.cl", kernels, G_N_ELEMENTS(kernels),
                                    error);
}

static guint tiles_of_frame(const VideoTiles *self)
{
    return (guint)(self->across.n * self->down.n);
}

static void set_formats(VideoTiles *self, const GstVideoInfo *in, const GstVideoInfo *out,
                        const VideoModelInfo *info)
{
    const VideoMatrix to_rgb = video_matrix_to_rgb(in), from_rgb = video_matrix_from_rgb(out);
    self->to_rgb = video_matrix_argument(&to_rgb);
    self->from_rgb = video_matrix_argument(&from_rgb);
    self->in_planes = video_planes(in);
    self->out_planes = video_planes(out);
    self->alpha = find_alpha(in, out, &self->in_planes, &self->out_planes);
    self->halved_x = GST_VIDEO_FORMAT_INFO_W_SUB(out->finfo, 1);
    self->halved_y = GST_VIDEO_FORMAT_INFO_H_SUB(out->finfo, 1);
    self->in_channels = video_channels(info->mean, info->std, info->bgr);
    self->out_channels = video_channels(info->out_mean, info->out_std, info->bgr);
}

static void set_places(VideoTiles *self, guint n_columns, guint n_rows)
{
    self->n_columns = n_columns;
    self->n_rows = n_rows;
    self->places = g_new(VideoTilePlace, n_columns + n_rows);
    for (guint x = 0; x < n_columns; x++)
        self->places[x] = video_span_place(&self->across, (guint)self->factor, x);
    for (guint y = 0; y < n_rows; y++)
        self->places[n_columns + y] = video_span_place(&self->down, (guint)self->factor, y);
}

VideoTiles *video_tiles_new(OclDevice *device, const GstVideoInfo *in, const GstVideoInfo *out,
                            const VideoFaceNetwork *network, guint factor, guint overlap,
                            guint max_samples, GError **error)
{
    const VideoModelInfo *info = network->info;
    g_autoptr(VideoTiles) self = g_new0(VideoTiles, 1);
    self->device = ocl_device_ref(device);
    self->slot = network->slot;
    self->max_samples = max_samples;
    self->factor = (gint32)factor;
    self->input = nn_slot_input(network->slot, network->input);
    self->output = nn_slot_output(network->slot, network->output);
    if (!video_place_map(&self->input, info->nhwc, &self->in_map, error) ||
        !video_place_map(&self->output, info->nhwc, &self->out_map, error) ||
        !check_tensors(self, error) || !build_kernels(self, error))
        return NULL;
    set_formats(self, in, out, info);
    self->across = video_span(GST_VIDEO_INFO_WIDTH(in), (guint)self->in_map.w, overlap);
    self->down = video_span(GST_VIDEO_INFO_HEIGHT(in), (guint)self->in_map.h, overlap);
    set_places(self, GST_VIDEO_INFO_WIDTH(out), GST_VIDEO_INFO_HEIGHT(out));
    self->frames_at_once = MAX(1, max_samples / tiles_of_frame(self));
    const gsize picture_b = 4 * sizeof(guint16) * self->out_map.w * self->out_map.h;
    self->kept = ocl_buffer_new(device, OCL_BUFFER_READ_WRITE,
                                picture_b * tiles_of_frame(self) * self->frames_at_once, error);
    return self->kept ? g_steal_pointer(&self) : NULL;
}

void video_tiles_free(VideoTiles *self)
{
    if (!self)
        return;
    ocl_kernel_free(self->cut);
    ocl_kernel_free(self->keep);
    ocl_kernel_free(self->join);
    ocl_buffer_clear(&self->kept);
    ocl_buffer_clear(&self->columns);
    ocl_buffer_clear(&self->rows);
    g_free(self->places);
    ocl_device_unref(self->device);
    g_free(self);
}

/* ---------------------------------------------------------------- running */

static gboolean run_cut(VideoTiles *self, OclQueue *compute, const VideoFrames *in,
                        gint32 first_frame, gint32 first, guint n, GError **error)
{
    cl_mem src = video_frames_memory(in);
    const VideoArgument arguments[] = {
        VIDEO_ARG(src),          VIDEO_ARG(self->in_planes),   VIDEO_ARG(self->to_rgb),
        VIDEO_ARG(self->across), VIDEO_ARG(self->down),        VIDEO_ARG(first_frame),
        VIDEO_ARG(first),        VIDEO_ARG(self->in_channels), VIDEO_ARG(self->input.memory),
        VIDEO_ARG(self->in_map),
    };
    return video_launch(compute, self->cut, arguments, G_N_ELEMENTS(arguments), self->in_map.w,
                        self->in_map.h, n, error);
}

static gboolean run_keep(VideoTiles *self, OclQueue *compute, gint32 first, guint n, GError **error)
{
    const VideoArgument arguments[] = {
        VIDEO_ARG(self->output.memory), VIDEO_ARG(self->out_map),
        VIDEO_ARG(self->out_channels),  VIDEO_ARG(first),
        VIDEO_ARG(self->kept),
    };
    return video_launch(compute, self->keep, arguments, G_N_ELEMENTS(arguments), self->out_map.w,
                        self->out_map.h, n, error);
}

/* Frame @frame, whose tiles are the @place-th that are kept. */
static gboolean run_join(VideoTiles *self, OclQueue *compute, const VideoFrames *in,
                         const VideoFrames *out, gint32 place, gint32 frame, float share,
                         GError **error)
{
    const VideoPicture *picture = &video_frames_layout(out)->picture;
    cl_mem src = video_frames_memory(in), dst = video_frames_memory(out);
    const gint32 halved_x = (gint32)self->halved_x, halved_y = (gint32)self->halved_y;
    const VideoArgument arguments[] = {
        VIDEO_ARG(self->kept),
        VIDEO_ARG(self->across),
        VIDEO_ARG(self->down),
        VIDEO_ARG(self->factor),
        VIDEO_ARG(self->columns),
        VIDEO_ARG(self->rows),
        VIDEO_ARG(place),
        VIDEO_ARG(frame),
        VIDEO_ARG(src),
        VIDEO_ARG(self->in_planes),
        VIDEO_ARG(self->alpha),
        VIDEO_ARG(dst),
        VIDEO_ARG(self->out_planes),
        VIDEO_ARG(halved_x),
        VIDEO_ARG(halved_y),
        VIDEO_ARG(self->from_rgb),
        VIDEO_ARG(share),
    };
    const guint cells_x = ((guint)picture->width + (1u << halved_x) - 1) >> halved_x;
    const guint cells_y = ((guint)picture->height + (1u << halved_y) - 1) >> halved_y;
    return video_launch(compute, self->join, arguments, G_N_ELEMENTS(arguments), cells_x, cells_y,
                        1, error);
}

static gboolean upload_places(VideoTiles *self, OclQueue *compute, const VideoTilePlace *places,
                              guint n, cl_mem *memory, GError **error)
{
    if (*memory)
        return TRUE;
    *memory = ocl_buffer_new(self->device, OCL_BUFFER_READ_WRITE, n * sizeof *places, error);
    return *memory && ocl_write(compute, *memory, 0, places, n * sizeof *places, NULL, error);
}

gboolean video_tiles_run(VideoTiles *self, OclQueue *compute, const VideoFrames *in,
                         const VideoFrames *out, guint n_frames, const float *shares,
                         GError **error)
{
    if (!upload_places(self, compute, self->places, self->n_columns, &self->columns, error) ||
        !upload_places(self, compute, self->places + self->n_columns, self->n_rows, &self->rows,
                       error))
        return FALSE;
    for (guint frame = 0; frame < n_frames; frame += self->frames_at_once) {
        const guint n = MIN(self->frames_at_once, n_frames - frame);
        const guint n_tiles = n * tiles_of_frame(self);
        for (guint first = 0; first < n_tiles; first += self->max_samples) {
            const guint count = MIN(self->max_samples, n_tiles - first);
            if (!run_cut(self, compute, in, (gint32)frame, (gint32)first, count, error) ||
                !nn_slot_run(self->slot, compute, count, error) ||
                !run_keep(self, compute, (gint32)first, count, error))
                return FALSE;
        }
        for (guint i = 0; i < n; i++)
            if (!run_join(self, compute, in, out, (gint32)i, (gint32)(frame + i),
                          shares ? shares[frame + i] : 1, error))
                return FALSE;
    }
    return TRUE;
}
