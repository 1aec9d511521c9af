/* facepaste.c - faces of frames through a restoring network and back, all on the device.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "facepaste.h"

#include <math.h>

#include "color.h"
#include "facemask.h"
#include "frames.h"

/* A face of fewer pixels than this is softened after restoring by a network of 512 pixels, as
 * GPEN's own program does; others have it in proportion, so that the frame is not blurred by what
 * hides the network's finest detail. */
#define SOFT_BELOW_PX 100
#define SOFT_SIDE_PX 512
/* As in kernels/video_face.cl. */
#define BLOCKS 16

struct VideoFaceList {
    OclDevice *device;
    guint capacity;
    OclPinned *faces, *verdicts; /* NULL: no face so far */
};

struct VideoRestorer {
    OclDevice *device;
    NnSlot *slot;
    guint max_samples;
    NnPlace input, output;
    VideoMap in_map, out_map;
    VideoChannels in_channels, out_channels;
    GstVideoInfo out;
    VideoPlanes in_planes, out_planes;
    double enlarged; /* pixels of what faces are pasted into per pixel of the frame */
    double aspect;   /* of a pixel: its width by its height */
    /* Scaling a face to the network's size and back takes detail from it: all of what the network
     * has no pixels for is given back, of a smaller face half. That is measured: PSNR to the
     * originals rises whether these were noisy, compressed, soft or good. Not between pictures of
     * different sizes, of which neither is the other. */
    gboolean keeps_detail;
    cl_float16 to_rgb, from_rgb;
    OclKernel *crop, *remember, *blocks_before, *blocks_after, *judge, *keep, *paste;
    cl_mem before, after; /* [max_samples][16][16][3] float */
    guint capacity;       /* faces that the following have room for */
    cl_mem faces, verdicts, restored;
    VideoFaceParser *parser; /* NULL: the whole face is pasted */
};

/* ---------------------------------------------------------------- lists */

VideoFaceList *video_face_list_new(OclDevice *device)
{
    VideoFaceList *list = g_new0(VideoFaceList, 1);
    list->device = ocl_device_ref(device);
    return list;
}

static void list_clear(VideoFaceList *list)
{
    g_clear_pointer(&list->faces, ocl_pinned_free);
    g_clear_pointer(&list->verdicts, ocl_pinned_free);
    list->capacity = 0;
}

void video_face_list_free(VideoFaceList *list)
{
    if (!list)
        return;
    list_clear(list);
    ocl_device_unref(list->device);
    g_free(list);
}

/* So that a stream with ever more faces grows few times. */
static guint rounded_capacity(guint n)
{
    guint capacity = 8;
    while (capacity < n)
        capacity *= 2;
    return capacity;
}

static gboolean list_reserve(VideoFaceList *list, guint n, GError **error)
{
    if (n <= list->capacity)
        return TRUE;
    list_clear(list);
    const guint capacity = rounded_capacity(n);
    list->faces = ocl_pinned_new(list->device, capacity * sizeof(VideoFaceEntry), error);
    if (!list->faces)
        return FALSE;
    list->verdicts = ocl_pinned_new(list->device, capacity * sizeof(VideoFaceVerdict), error);
    if (!list->verdicts)
        return FALSE;
    list->capacity = capacity;
    return TRUE;
}

void video_face_list_results(const VideoFaceList *list, VideoFaceJob *jobs, guint n_jobs)
{
    g_return_if_fail(n_jobs <= list->capacity);
    for (guint i = 0; i < n_jobs; i++) {
        const VideoFaceVerdict *verdict = &((const VideoFaceVerdict *)list->verdicts->data)[i];
        jobs[i].similarity = verdict->similarity;
        jobs[i].restored = verdict->share > 0;
    }
}

/* ---------------------------------------------------------------- building */

static gboolean check_picture(const VideoMap *map, const char *what, GError **error)
{
    if (map->c == 3 && map->w == map->h)
        return TRUE;
    g_set_error(error, NN_ERROR, NN_ERROR_INPUT,
                "a network that restores faces has a square picture of 3 channels as %s, not "
                "%d x %d with %d",
                what, map->w, map->h, map->c);
    return FALSE;
}

static gboolean build_kernels(VideoRestorer *self, GError **error)
{
    const NnType in = self->input.type, out = self->output.type;
    const VideoTensorKernel kernels[] = {
        { &self->crop, "face_crop", in },
        { &self->remember, "face_remember", in },
        { &self->blocks_before, "face_blocks", in },
        { &self->blocks_after, "face_blocks", out },
        { &self->judge, "face_judge", out },
        { &self->keep, "face_keep", out },
        { &self->paste, "face_paste", out },
    };
    return video_tensor_kernels_new(self->device, "video_face.cl", kernels, G_N_ELEMENTS(kernels),
                                    error);
}

static gboolean make_blocks(VideoRestorer *self, GError **error)
{
    const gsize size_b = sizeof(float) * BLOCKS * BLOCKS * 3 * self->max_samples;
    self->before = ocl_buffer_new(self->device, OCL_BUFFER_READ_WRITE, size_b, error);
    if (!self->before)
        return FALSE;
    self->after = ocl_buffer_new(self->device, OCL_BUFFER_READ_WRITE, size_b, error);
    return self->after != NULL;
}

VideoRestorer *video_restorer_new(OclDevice *device, const GstVideoInfo *in,
                                  const GstVideoInfo *out, const VideoFaceNetwork *network,
                                  const VideoFaceNetwork *parser, guint max_samples, GError **error)
{
    const VideoModelInfo *info = network->info;
    g_autoptr(VideoRestorer) self = g_new0(VideoRestorer, 1);
    self->device = ocl_device_ref(device);
    self->slot = network->slot;
    self->max_samples = max_samples;
    self->out = *out;
    self->enlarged = (double)GST_VIDEO_INFO_WIDTH(out) / GST_VIDEO_INFO_WIDTH(in);
    self->aspect = GST_VIDEO_INFO_PAR_N(in) > 0
                       ? (double)GST_VIDEO_INFO_PAR_N(in) / GST_VIDEO_INFO_PAR_D(in)
                       : 1;
    self->input = nn_slot_input(network->slot, network->input);
    self->output = nn_slot_output(network->slot, network->output);
    if (!video_place_map(&self->input, info->nhwc, &self->in_map, error) ||
        !video_place_map(&self->output, info->nhwc, &self->out_map, error) ||
        !check_picture(&self->in_map, "input", error) ||
        !check_picture(&self->out_map, "output", error))
        return NULL;
    self->keeps_detail = self->enlarged == 1 && self->in_map.w == self->out_map.w;
    self->in_planes = video_planes(in);
    self->out_planes = video_planes(out);
    self->in_channels = video_channels(info->mean, info->std, info->bgr);
    self->out_channels = video_channels(info->out_mean, info->out_std, info->bgr);
    const VideoMatrix to_rgb = video_matrix_to_rgb(in);
    const VideoMatrix from_rgb = video_matrix_from_rgb(out);
    self->to_rgb = video_matrix_argument(&to_rgb);
    self->from_rgb = video_matrix_argument(&from_rgb);
    if (parser)
        self->parser = video_face_parser_new(device, parser, max_samples, error);
    if ((parser && !self->parser) || !build_kernels(self, error) || !make_blocks(self, error))
        return NULL;
    return g_steal_pointer(&self);
}

static void clear_faces(VideoRestorer *self)
{
    ocl_buffer_clear(&self->faces);
    ocl_buffer_clear(&self->verdicts);
    ocl_buffer_clear(&self->restored);
    self->capacity = 0;
}

void video_restorer_free(VideoRestorer *self)
{
    if (!self)
        return;
    OclKernel *kernels[] = { self->crop,  self->remember, self->blocks_before, self->blocks_after,
                             self->judge, self->keep,     self->paste };
    for (guint i = 0; i < G_N_ELEMENTS(kernels); i++)
        ocl_kernel_free(kernels[i]);
    ocl_buffer_clear(&self->before);
    ocl_buffer_clear(&self->after);
    clear_faces(self);
    video_face_parser_free(self->parser);
    ocl_device_unref(self->device);
    g_free(self);
}

/* Memory that commands still use is let go of by the driver once they are done. */
static gboolean reserve(VideoRestorer *self, guint n, GError **error)
{
    if (n <= self->capacity)
        return TRUE;
    clear_faces(self);
    const guint capacity = rounded_capacity(n);
    const gsize picture_b = 4 * sizeof(guint16) * self->out_map.w * self->out_map.h;
    const struct {
        cl_mem *memory;
        gsize size_b;
    } buffers[] = {
        { &self->faces, capacity * sizeof(VideoFaceEntry) },
        { &self->verdicts, capacity * sizeof(VideoFaceVerdict) },
        { &self->restored, capacity * picture_b },
    };
    for (guint i = 0; i < G_N_ELEMENTS(buffers); i++) {
        *buffers[i].memory =
            ocl_buffer_new(self->device, OCL_BUFFER_READ_WRITE, buffers[i].size_b, error);
        if (!*buffers[i].memory)
            return FALSE;
    }
    if (self->parser && !video_face_parser_reserve(self->parser, capacity, error))
        return FALSE;
    self->capacity = capacity;
    return TRUE;
}

/* ---------------------------------------------------------------- the table of faces */

static void copy_affine(const VideoAffine *affine, float m[6])
{
    for (guint i = 0; i < 6; i++)
        m[i] = (float)affine->m[i];
}

/* Of the axis that it stretches more. */
static double scale_of(const VideoAffine *affine)
{
    return MAX(hypot(affine->m[0], affine->m[3]), hypot(affine->m[1], affine->m[4]));
}

/* From the frame's pixels, which need not be square, to the network's, which are. */
static gboolean align(const VideoRestorer *self, const VideoFaceJob *job, guint size,
                      VideoAffine *to_face)
{
    VideoPoint square[VIDEO_FACE_POINTS], template[VIDEO_FACE_POINTS];
    for (guint i = 0; i < VIDEO_FACE_POINTS; i++)
        square[i] =
            (VideoPoint){ job->face.points[i].x * (float)self->aspect, job->face.points[i].y };
    video_template_points(job->style.template, size, template);
    if (!video_similarity(square, template, to_face))
        return FALSE;
    to_face->m[0] *= self->aspect;
    to_face->m[3] *= self->aspect;
    return TRUE;
}

/* From the pixels of the frame to those of what is pasted into; both count from the middle of the
 * first one. */
static double enlarge(const VideoRestorer *self, double at)
{
    return (at + 0.5) * self->enlarged - 0.5;
}

/* The cells of the result that a crop of @size x @size touches. */
static void find_cells(const VideoRestorer *self, const VideoAffine *to_frame, guint size,
                       VideoFaceEntry *face)
{
    double left = G_MAXDOUBLE, top = G_MAXDOUBLE, right = -G_MAXDOUBLE, bottom = -G_MAXDOUBLE;
    for (guint i = 0; i < 4; i++) {
        const VideoPoint corner = { i % 2 ? (float)size : -1, i / 2 ? (float)size : -1 };
        const VideoPoint at = video_affine_apply(to_frame, corner);
        left = MIN(left, enlarge(self, at.x));
        right = MAX(right, enlarge(self, at.x));
        top = MIN(top, enlarge(self, at.y));
        bottom = MAX(bottom, enlarge(self, at.y));
    }
    const int halved_x = GST_VIDEO_FORMAT_INFO_W_SUB(self->out.finfo, 1);
    const int halved_y = GST_VIDEO_FORMAT_INFO_H_SUB(self->out.finfo, 1);
    const int width = GST_VIDEO_INFO_WIDTH(&self->out);
    const int height = GST_VIDEO_INFO_HEIGHT(&self->out);
    face->left = (int)CLAMP(floor(left), 0, width) >> halved_x;
    face->top = (int)CLAMP(floor(top), 0, height) >> halved_y;
    face->columns = MAX((((int)CLAMP(ceil(right), -1, width - 1)) >> halved_x) + 1 - face->left, 0);
    face->rows = MAX((((int)CLAMP(ceil(bottom), -1, height - 1)) >> halved_y) + 1 - face->top, 0);
}

/* A face whose points are no face, all in one place, gets no cells and a crop of nothing much. */
static void set_face(const VideoRestorer *self, const VideoFaceJob *job, VideoFaceEntry *face)
{
    const guint size = (guint)self->in_map.w;
    const double growth = (double)self->out_map.w / size;
    VideoAffine to_face, to_frame;
    *face =
        (VideoFaceEntry){ .frame = (gint32)job->frame,
                          .blend = job->blend,
                          .blur = job->style.blur,
                          .least = job->style.least_similarity,
                          .match = job->style.match,
                          .soften = video_face_size(&job->face) * self->enlarged * SOFT_SIDE_PX <
                                    (double)SOFT_BELOW_PX * self->out_map.w };
    if (!align(self, job, size, &to_face) || !video_affine_invert(&to_face, &to_frame))
        return;
    copy_affine(&to_frame, face->to_frame);
    face->spread = (float)scale_of(&to_frame);
    find_cells(self, &to_frame, size, face);
    /* From the pixels of what is pasted into, and to those of a restored picture that is larger
     * than the tensor. */
    for (guint row = 0; row < 6; row += 3) {
        const double shift = 0.5 / self->enlarged - 0.5;
        to_face.m[row + 2] += (to_face.m[row] + to_face.m[row + 1]) * shift;
        to_face.m[row] /= self->enlarged;
        to_face.m[row + 1] /= self->enlarged;
        for (guint i = 0; i < 3; i++)
            to_face.m[row + i] *= growth;
        to_face.m[row + 2] += 0.5 * growth - 0.5;
    }
    copy_affine(&to_face, face->to_face);
    face->detail = (float)scale_of(&to_face);
    if (self->keeps_detail)
        face->finer = CLAMP(1.5f - face->detail, 0.5f, 1);
}

static void fill_table(const VideoRestorer *self, const VideoFaceJob *jobs, guint n_jobs,
                       VideoFaceEntry *faces)
{
    for (guint i = 0; i < n_jobs; i++) {
        set_face(self, &jobs[i], &faces[i]);
        const gboolean same = i > 0 && jobs[i - 1].frame == jobs[i].frame;
        faces[i].first = same ? faces[i - 1].first : (gint32)i;
    }
    for (guint i = n_jobs; i-- > 0;) {
        const gboolean last = i + 1 == n_jobs || jobs[i + 1].frame != jobs[i].frame;
        faces[i].count = last ? (gint32)i + 1 - faces[i].first : faces[i + 1].count;
    }
}

/* ---------------------------------------------------------------- running */

static gboolean run_crop(VideoRestorer *self, OclQueue *compute, const VideoFrames *in,
                         gint32 first, guint n, GError **error)
{
    cl_mem src = video_frames_memory(in);
    const VideoArgument arguments[] = {
        VIDEO_ARG(src),
        VIDEO_ARG(self->in_planes),
        VIDEO_ARG(self->to_rgb),
        VIDEO_ARG(self->faces),
        VIDEO_ARG(first),
        VIDEO_ARG(self->in_channels),
        VIDEO_ARG(self->input.memory),
        VIDEO_ARG(self->in_map),
    };
    return video_launch(compute, self->crop, arguments, G_N_ELEMENTS(arguments), self->in_map.w,
                        self->in_map.h, n, error);
}

static gboolean run_blocks(OclKernel *kernel, OclQueue *compute, const NnPlace *place,
                           const VideoMap *map, const VideoChannels *channels, cl_mem blocks,
                           guint n, GError **error)
{
    const VideoArgument arguments[] = {
        VIDEO_ARG(place->memory),
        VIDEO_ARG(*map),
        VIDEO_ARG(*channels),
        VIDEO_ARG(blocks),
    };
    return video_launch(compute, kernel, arguments, G_N_ELEMENTS(arguments), BLOCKS, BLOCKS, n,
                        error);
}

static gboolean run_judge(VideoRestorer *self, OclQueue *compute, gint32 first, guint n,
                          GError **error)
{
    const VideoArgument arguments[] = {
        VIDEO_ARG(self->before), VIDEO_ARG(self->after),    VIDEO_ARG(self->faces),
        VIDEO_ARG(first),        VIDEO_ARG(self->verdicts),
    };
    return video_launch(compute, self->judge, arguments, G_N_ELEMENTS(arguments), 1, 1, n, error);
}

static gboolean run_keep(VideoRestorer *self, OclQueue *compute, gint32 first, guint n,
                         GError **error)
{
    const VideoArgument arguments[] = {
        VIDEO_ARG(self->output.memory), VIDEO_ARG(self->out_map),  VIDEO_ARG(self->out_channels),
        VIDEO_ARG(self->faces),         VIDEO_ARG(self->verdicts), VIDEO_ARG(first),
        VIDEO_ARG(self->restored),
    };
    return video_launch(compute, self->keep, arguments, G_N_ELEMENTS(arguments), self->out_map.w,
                        self->out_map.h, n, error);
}

static gboolean run_remember(VideoRestorer *self, OclQueue *compute, gint32 first, guint n,
                             GError **error)
{
    const gint32 is_rgb = GST_VIDEO_INFO_IS_RGB(&self->out);
    const VideoArgument arguments[] = {
        VIDEO_ARG(self->input.memory), VIDEO_ARG(self->in_map), VIDEO_ARG(self->in_channels),
        VIDEO_ARG(self->from_rgb),     VIDEO_ARG(is_rgb),       VIDEO_ARG(first),
        VIDEO_ARG(self->restored),
    };
    return video_launch(compute, self->remember, arguments, G_N_ELEMENTS(arguments), self->in_map.w,
                        self->in_map.h, n, error);
}

/* Faces @first and on, as many as the network takes at once. The network may use the memory of its
 * input for other things, so what the crops look like is kept before it runs. */
static gboolean restore(VideoRestorer *self, OclQueue *compute, const VideoFrames *frames,
                        guint first, guint n, GError **error)
{
    return run_crop(self, compute, frames, (gint32)first, n, error) &&
           (!self->keeps_detail || run_remember(self, compute, (gint32)first, n, error)) &&
           run_blocks(self->blocks_before, compute, &self->input, &self->in_map, &self->in_channels,
                      self->before, n, error) &&
           nn_slot_run(self->slot, compute, n, error) &&
           run_blocks(self->blocks_after, compute, &self->output, &self->out_map,
                      &self->out_channels, self->after, n, error) &&
           run_judge(self, compute, (gint32)first, n, error) &&
           run_keep(self, compute, (gint32)first, n, error) &&
           (!self->parser ||
            video_face_parser_run(self->parser, compute, self->restored, self->out_map.w,
                                  self->out_map.h, self->faces, (gint32)first, n, error));
}

static gboolean run_paste(VideoRestorer *self, OclQueue *compute, const VideoFrames *out,
                          const VideoFaceEntry *faces, guint n, GError **error)
{
    gint32 columns = 0, rows = 0;
    for (guint i = 0; i < n; i++) {
        columns = MAX(columns, faces[i].columns);
        rows = MAX(rows, faces[i].rows);
    }
    if (columns == 0 || rows == 0)
        return TRUE;
    VideoMaskSize size = { 0, 0 };
    cl_mem masks = self->parser ? video_face_parser_masks(self->parser, &size) : NULL;
    cl_mem dst = video_frames_memory(out);
    const gint32 halved_x = GST_VIDEO_FORMAT_INFO_W_SUB(self->out.finfo, 1);
    const gint32 halved_y = GST_VIDEO_FORMAT_INFO_H_SUB(self->out.finfo, 1);
    const gint32 is_rgb = GST_VIDEO_INFO_IS_RGB(&self->out);
    const VideoArgument arguments[] = {
        VIDEO_ARG(dst),
        VIDEO_ARG(self->out_planes),
        VIDEO_ARG(halved_x),
        VIDEO_ARG(halved_y),
        VIDEO_ARG(self->from_rgb),
        VIDEO_ARG(is_rgb),
        VIDEO_ARG(self->faces),
        VIDEO_ARG(self->verdicts),
        VIDEO_ARG(self->restored),
        VIDEO_ARG(self->out_map.w),
        VIDEO_ARG(self->out_map.h),
        VIDEO_ARG(masks),
        VIDEO_ARG(size),
    };
    for (guint i = 0; i < G_N_ELEMENTS(arguments); i++)
        if (!ocl_kernel_set(self->paste, i, arguments[i].size_b, arguments[i].value, error))
            return FALSE;
    /* Faces have many sizes, and PoCL compiles a kernel anew for every size of work-group. */
    const gsize local[3] = { 64, 1, 1 };
    const gsize global[3] = { GST_ROUND_UP_64((gsize)columns), (gsize)rows, n };
    return ocl_enqueue(compute, self->paste, 3, global, local, NULL, error);
}

gboolean video_restorer_run(VideoRestorer *self, OclQueue *compute, VideoFaceList *list,
                            const VideoFrames *in, const VideoFrames *out, const VideoFaceJob *jobs,
                            guint n_jobs, GError **error)
{
    if (n_jobs == 0)
        return TRUE;
    if (!list_reserve(list, n_jobs, error) || !reserve(self, n_jobs, error))
        return FALSE;
    VideoFaceEntry *faces = (VideoFaceEntry *)list->faces->data;
    fill_table(self, jobs, n_jobs, faces);
    if (!ocl_write(compute, self->faces, 0, faces, n_jobs * sizeof(VideoFaceEntry), NULL, error))
        return FALSE;
    for (guint first = 0; first < n_jobs; first += self->max_samples)
        if (!restore(self, compute, in, first, MIN(self->max_samples, n_jobs - first), error))
            return FALSE;
    return run_paste(self, compute, out, faces, n_jobs, error) &&
           ocl_read(compute, self->verdicts, 0, list->verdicts->data,
                    n_jobs * sizeof(VideoFaceVerdict), NULL, error);
}
