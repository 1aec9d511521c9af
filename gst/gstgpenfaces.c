/* gstgpenfaces.c - the faces of whole frames: found, followed, restored, pasted back.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "gstgpenfaces.h"

#include <math.h>
#include <string.h>

/* What a restoring network that leaves its size open is built for. */
#define OPEN_SIDE_PX 512
/* Faces at once where the user does not say: a CPU gains nothing by more. */
#define CPU_SAMPLES 1
#define GPU_SAMPLES 8

struct FaceBuild {
    OclDevice *device;
    GstVideoInfo in, out;
    guint max_frames;
    double frame_seconds;
    guint factor;          /* @out is that many times as large */
    Background background; /* tiles NULL: frames stay but for faces */
    /* One slot each: all batches run on one queue, one after the other. */
    PictureNetwork *network, *parser_network;
    NnSlot *slot, *parser_slot;
    VideoRestorer *restorer;     /* NULL: faces are left alone */
    VideoFaceDetector *detector; /* NULL: faces come as metas */
};

/* How far a batch is. What is known is not found out again if the batch has to be redone: the
 * tracker has gone on. */
typedef enum {
    BATCH_NEW,
    BATCH_PLANNED, /* which frames the detector sees */
    BATCH_DECIDED, /* which faces there are */
} BatchState;

struct FaceBatch {
    FaceBuild *build;
    BatchState state;
    VideoFrames *frames, *enlarged; /* NULL: faces are pasted into @frames */
    VideoFaceList *list;
    OclPinned *numbers;     /* [detections][numbers of the detector] float */
    FaceControls *controls; /* [max_frames] */
    GArray **faces;         /* [max_frames] VideoFace */
    gboolean *detected;     /* [max_frames] */
    float *shares;          /* [max_frames] of the network for whole frames */
    VideoPoint *origins;    /* [max_frames] of what is shown of a frame */
    GArray *jobs;           /* VideoFaceJob, those of one frame side by side */
    gint *first_job;        /* [max_frames]; -1: none of its faces is restored */
};

/* ---------------------------------------------------------------- streams */

void face_stream_init(FaceStream *stream)
{
    *stream = (FaceStream){ .tracker = video_face_tracker_new(),
                            .chosen = g_array_new(FALSE, FALSE, sizeof(guint64)) };
}

void face_stream_clear(FaceStream *stream)
{
    g_clear_pointer(&stream->tracker, video_face_tracker_free);
    g_clear_pointer(&stream->chosen, g_array_unref);
}

void face_stream_reset(FaceStream *stream)
{
    video_face_tracker_reset(stream->tracker);
    stream->frames_until_detection = 0;
    g_array_set_size(stream->chosen, 0);
}

/* ---------------------------------------------------------------- building */

/* A user's mistake rather than a damaged file. */
static gboolean say_whose_fault(GError **error, const char *what)
{
    if (!error || !g_error_matches(*error, NN_ERROR, NN_ERROR_INPUT))
        return FALSE;
    g_autoptr(GError) reason = g_steal_pointer(error);
    g_set_error(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS, "%s cannot be used: %s.",
                what, reason->message);
    return FALSE;
}

static gboolean build_network(FaceBuild *self, PictureModel *model, guint samples,
                              NnPrecision precision, PictureNetwork **network, NnSlot **slot,
                              GError **error)
{
    *network = picture_network_new(model, self->device, OPEN_SIDE_PX, OPEN_SIDE_PX, samples,
                                   precision, error);
    if (!*network)
        return FALSE;
    *slot = nn_slot_new((*network)->network, error);
    return *slot != NULL;
}

static gboolean build_restorer(FaceBuild *self, const FaceBuildParams *params, GError **error)
{
    if (!params->restorer)
        return TRUE;
    const gboolean on_cpu = self->device->device_class == OCL_CLASS_CPU;
    const guint samples = params->max_samples ? params->max_samples
                          : on_cpu            ? CPU_SAMPLES
                                              : GPU_SAMPLES;
    if (!build_network(self, params->restorer, samples, params->precision, &self->network,
                       &self->slot, error) ||
        (params->parser && !build_network(self, params->parser, samples, params->precision,
                                          &self->parser_network, &self->parser_slot, error)))
        return FALSE;
    const VideoFaceNetwork network = { self->slot, self->network->input, self->network->output,
                                       params->restorer->info };
    VideoFaceNetwork parser = { .slot = self->parser_slot };
    if (params->parser) {
        parser.input = self->parser_network->input;
        parser.output = self->parser_network->output;
        parser.info = params->parser->info;
    }
    self->restorer = video_restorer_new(self->device, &self->in, &self->out, &network,
                                        params->parser ? &parser : NULL, samples, error);
    return self->restorer ||
           say_whose_fault(error, "A network over faces (model-file or mask-file)");
}

static gboolean build_detector(FaceBuild *self, const FaceBuildParams *params, GError **error)
{
    if (!params->detector || !params->restorer)
        return TRUE;
    self->detector =
        video_face_detector_new(self->device, params->detector, params->detector_info, &self->in,
                                params->detector_side, self->max_frames, error);
    return self->detector || say_whose_fault(error, "The face detector (detector-file)");
}

static gboolean build_background(FaceBuild *self, const FaceBuildParams *params, GError **error)
{
    if (!params->background)
        return TRUE;
    return background_init(&self->background, params->background, params->factor, self->device,
                           &self->in, &self->out, &params->tiles, params->precision, error) ||
           say_whose_fault(
               error,
               "The network for whole frames (background-file, or model-file with faces=whole)");
}

FaceBuild *face_build_new(OclDevice *device, const GstVideoInfo *in, const GstVideoInfo *out,
                          guint max_frames, const FaceBuildParams *params, GError **error)
{
    FaceBuild *self = g_new0(FaceBuild, 1);
    self->device = ocl_device_ref(device);
    self->in = *in;
    self->out = *out;
    self->factor = params->factor;
    self->max_frames = max_frames;
    self->frame_seconds = 1.0 / 25;
    if (GST_VIDEO_INFO_FPS_N(in) > 0)
        self->frame_seconds = (double)GST_VIDEO_INFO_FPS_D(in) / GST_VIDEO_INFO_FPS_N(in);
    if (build_restorer(self, params, error) && build_detector(self, params, error) &&
        build_background(self, params, error))
        return self;
    face_build_free(self);
    return NULL;
}

void face_build_free(FaceBuild *self)
{
    g_clear_pointer(&self->detector, video_face_detector_free);
    g_clear_pointer(&self->restorer, video_restorer_free);
    g_clear_pointer(&self->slot, nn_slot_free);
    g_clear_pointer(&self->parser_slot, nn_slot_free);
    background_clear(&self->background);
    g_clear_pointer(&self->network, picture_network_unref);
    g_clear_pointer(&self->parser_network, picture_network_unref);
    ocl_device_unref(self->device);
    g_free(self);
}

/* ---------------------------------------------------------------- batches */

static gboolean make_frames(FaceBatch *self, GError **error)
{
    const FaceBuild *build = self->build;
    const guint n = build->max_frames;
    self->frames = video_frames_new(build->device, &build->in, n, TRUE, error);
    if (!self->frames)
        return FALSE;
    if (build->detector)
        self->numbers = ocl_pinned_new(
            build->device, sizeof(float) * n * video_face_detector_numbers(build->detector), error);
    if (build->detector && !self->numbers)
        return FALSE;
    if (build->background.tiles)
        self->enlarged = video_frames_new(build->device, &build->out, n, FALSE, error);
    return self->enlarged || !build->background.tiles;
}

/* What leaves. */
static VideoFrames *results(const FaceBatch *self)
{
    return self->enlarged ? self->enlarged : self->frames;
}

FaceBatch *face_batch_new(FaceBuild *build, GError **error)
{
    const guint n = build->max_frames;
    FaceBatch *self = g_new0(FaceBatch, 1);
    self->build = build;
    self->list = video_face_list_new(build->device);
    self->controls = g_new0(FaceControls, n);
    self->detected = g_new0(gboolean, n);
    self->shares = g_new0(float, n);
    self->origins = g_new0(VideoPoint, n);
    self->first_job = g_new0(gint, n);
    self->jobs = g_array_new(FALSE, TRUE, sizeof(VideoFaceJob));
    self->faces = g_new0(GArray *, n);
    for (guint i = 0; i < n; i++)
        self->faces[i] = video_faces_new();
    if (make_frames(self, error))
        return self;
    face_batch_free(self);
    return NULL;
}

void face_batch_free(FaceBatch *self)
{
    g_clear_pointer(&self->frames, video_frames_free);
    g_clear_pointer(&self->enlarged, video_frames_free);
    g_clear_pointer(&self->numbers, ocl_pinned_free);
    g_clear_pointer(&self->list, video_face_list_free);
    for (guint i = 0; i < self->build->max_frames; i++)
        g_array_unref(self->faces[i]);
    g_array_unref(self->jobs);
    g_free(self->faces);
    g_free(self->controls);
    g_free(self->detected);
    g_free(self->shares);
    g_free(self->origins);
    g_free(self->first_job);
    g_free(self);
}

void face_batch_begin(FaceBatch *self)
{
    self->state = BATCH_NEW;
}

FaceControls *face_batch_controls(FaceBatch *self, guint index)
{
    return &self->controls[index];
}

void face_batch_copy(const FaceBatch *from, FaceBatch *to, guint index)
{
    const GArray *faces = from->faces[index];
    to->state = from->state;
    to->controls[index] = from->controls[index];
    to->detected[index] = from->detected[index];
    g_array_set_size(to->faces[index], 0);
    g_array_append_vals(to->faces[index], faces->data, faces->len);
}

/* ---------------------------------------------------------------- faces as metas */

/* How the parameters of a region of interest are called. */
#define META_TYPE "face"
static const char *const point_names[VIDEO_FACE_POINTS] = { "eye-left", "eye-right", "nose",
                                                            "mouth-left", "mouth-right" };

static gboolean get_point(const GstStructure *structure, const char *name, VideoPoint *point)
{
    g_autofree char *x_name = g_strconcat(name, "-x", NULL);
    g_autofree char *y_name = g_strconcat(name, "-y", NULL);
    double x, y;
    if (!gst_structure_get_double(structure, x_name, &x) ||
        !gst_structure_get_double(structure, y_name, &y))
        return FALSE;
    *point = (VideoPoint){ (float)x, (float)y };
    return isfinite(x) && isfinite(y);
}

static void read_points(GstVideoRegionOfInterestMeta *meta, VideoFace *face)
{
    const GstStructure *structure = gst_video_region_of_interest_meta_get_param(meta, META_TYPE);
    gboolean all = structure != NULL;
    for (guint i = 0; i < VIDEO_FACE_POINTS && all; i++)
        all = get_point(structure, point_names[i], &face->points[i]);
    if (!all)
        video_face_guess_points(face);
}

/* Regions count from the buffer's corner, faces from that of the part that is shown. */
static void shift_face(VideoFace *face, const GstVideoCropMeta *crop)
{
    if (!crop)
        return;
    face->x -= (float)crop->x;
    face->y -= (float)crop->y;
    for (guint i = 0; i < VIDEO_FACE_POINTS; i++) {
        face->points[i].x -= (float)crop->x;
        face->points[i].y -= (float)crop->y;
    }
}

static void read_metas(GstBuffer *buffer, GArray *faces)
{
    gpointer state = NULL;
    GstMeta *meta;
    g_array_set_size(faces, 0);
    while ((meta = gst_buffer_iterate_meta_filtered(buffer, &state,
                                                    GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE))) {
        GstVideoRegionOfInterestMeta *region = (GstVideoRegionOfInterestMeta *)meta;
        if (region->roi_type != g_quark_from_string(META_TYPE) || !region->w || !region->h)
            continue;
        VideoFace face = { .x = (float)region->x - 0.5f,
                           .y = (float)region->y - 0.5f,
                           .width = (float)region->w,
                           .height = (float)region->h,
                           .score = 1,
                           .track = region->id > 0 ? (guint64)region->id : 0 };
        read_points(region, &face);
        shift_face(&face, gst_buffer_get_video_crop_meta(buffer));
        g_array_append_val(faces, face);
    }
}

static void set_point(GstStructure *structure, const char *name, const VideoPoint *point)
{
    g_autofree char *x_name = g_strconcat(name, "-x", NULL);
    g_autofree char *y_name = g_strconcat(name, "-y", NULL);
    gst_structure_set(structure, x_name, G_TYPE_DOUBLE, (double)point->x, y_name, G_TYPE_DOUBLE,
                      (double)point->y, NULL);
}

static VideoPoint enlarge_point(VideoPoint point, float factor)
{
    return (VideoPoint){ (point.x + 0.5f) * factor - 0.5f, (point.y + 0.5f) * factor - 0.5f };
}

static VideoFace enlarge_face(const VideoFace *face, float factor)
{
    VideoFace large = *face;
    const VideoPoint corner = enlarge_point((VideoPoint){ face->x, face->y }, factor);
    large.x = corner.x;
    large.y = corner.y;
    large.width *= factor;
    large.height *= factor;
    for (guint i = 0; i < VIDEO_FACE_POINTS; i++)
        large.points[i] = enlarge_point(face->points[i], factor);
    return large;
}

/* Upstream's regions are where they were in the frame as it came, their landmarks also count from
 * the corner of what was cropped away: @origin is where the frame begins there. */
static void move_metas(GstBuffer *buffer, VideoPoint origin, guint factor)
{
    gpointer state = NULL;
    GstMeta *meta;
    while ((meta = gst_buffer_iterate_meta_filtered(buffer, &state,
                                                    GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE))) {
        GstVideoRegionOfInterestMeta *region = (GstVideoRegionOfInterestMeta *)meta;
        GstStructure *structure = gst_video_region_of_interest_meta_get_param(region, META_TYPE);
        VideoPoint point;
        region->x *= factor;
        region->y *= factor;
        region->w *= factor;
        region->h *= factor;
        for (guint i = 0; structure && i < VIDEO_FACE_POINTS; i++)
            if (get_point(structure, point_names[i], &point)) {
                point.x -= origin.x;
                point.y -= origin.y;
                point = enlarge_point(point, (float)factor);
                set_point(structure, point_names[i], &point);
            }
    }
}

static void attach_meta(GstBuffer *buffer, const GstVideoInfo *info, const VideoFace *face,
                        const VideoFaceJob *job)
{
    /* Regions begin at the corner of a pixel, positions count from its middle. */
    const float wide = (float)GST_VIDEO_INFO_WIDTH(info), high = (float)GST_VIDEO_INFO_HEIGHT(info);
    const float left = CLAMP(face->x + 0.5f, 0, wide), top = CLAMP(face->y + 0.5f, 0, high);
    const float right = CLAMP(face->x + 0.5f + face->width, left, wide);
    const float bottom = CLAMP(face->y + 0.5f + face->height, top, high);
    GstVideoRegionOfInterestMeta *meta = gst_buffer_add_video_region_of_interest_meta(
        buffer, META_TYPE, (guint)left, (guint)top, (guint)(right - left), (guint)(bottom - top));
    meta->id = (gint)face->track;
    GstStructure *structure = gst_structure_new(
        META_TYPE, "score", G_TYPE_DOUBLE, (double)face->score, "track", G_TYPE_UINT64, face->track,
        "restored", G_TYPE_BOOLEAN, job && job->restored, NULL);
    if (job)
        gst_structure_set(structure, "similarity", G_TYPE_DOUBLE, (double)job->similarity, NULL);
    for (guint i = 0; i < VIDEO_FACE_POINTS; i++)
        set_point(structure, point_names[i], &face->points[i]);
    gst_video_region_of_interest_meta_add_param(meta, structure);
}

/* ---------------------------------------------------------------- running */

gboolean face_batch_upload(FaceBatch *self, OclQueue *upload, guint index, GstVideoFrame *frame,
                           GError **error)
{
    const GstVideoCropMeta *crop = gst_buffer_get_video_crop_meta(frame->buffer);
    self->origins[index] =
        crop ? (VideoPoint){ (float)crop->x, (float)crop->y } : (VideoPoint){ 0, 0 };
    if (self->build->restorer && !self->build->detector && self->state != BATCH_DECIDED)
        read_metas(frame->buffer, self->faces[index]);
    return video_frames_upload(self->frames, upload, index, frame, error);
}

/* Every @interval frames, whatever the batches. */
static void plan_detections(FaceBatch *self, FaceStream *stream, guint n_frames, guint interval)
{
    self->state = BATCH_PLANNED;
    stream->frames_until_detection = MIN(stream->frames_until_detection, interval - 1);
    for (guint i = 0; i < n_frames; i++) {
        self->detected[i] = stream->frames_until_detection == 0;
        stream->frames_until_detection =
            (self->detected[i] ? interval : stream->frames_until_detection) - 1;
    }
}

static guint n_detected(const FaceBatch *self, guint n_frames)
{
    guint n = 0;
    for (guint i = 0; i < n_frames; i++)
        n += self->detected[i];
    return n;
}

gboolean face_batch_plan(FaceBatch *self, FaceStream *stream, guint n_frames, guint interval)
{
    if (!self->build->detector || self->state == BATCH_DECIDED)
        return FALSE;
    if (self->state == BATCH_NEW)
        plan_detections(self, stream, n_frames, interval);
    return n_detected(self, n_frames) > 0;
}

gboolean face_batch_detect(FaceBatch *self, OclQueue *compute, guint n_frames, GError **error)
{
    guint first = 0, step = 1;
    while (!self->detected[first])
        first++;
    while (first + step < n_frames && !self->detected[first + step])
        step++;
    return video_face_detector_run(self->build->detector, compute, self->frames, first, step,
                                   n_detected(self, n_frames), (float *)self->numbers->data, error);
}

/* The faces of all frames, from what the detector has left. */
static void find_faces(FaceBatch *self, FaceStream *stream, guint n_frames)
{
    const FaceBuild *build = self->build;
    const gsize n_numbers = video_face_detector_numbers(build->detector);
    const float *numbers = (const float *)self->numbers->data;
    for (guint i = 0; i < n_frames; i++) {
        g_array_set_size(self->faces[i], 0);
        if (!self->detected[i])
            continue;
        video_face_detector_find(build->detector, numbers,
                                 self->controls[i].score * VIDEO_FACE_KEEP, self->faces[i]);
        numbers += n_numbers;
    }
    video_face_tracker_run(stream->tracker, self->faces, self->detected, n_frames,
                           build->frame_seconds, self->controls[0].score);
}

static void select_faces(FaceBatch *self, FaceStream *stream, guint n_frames)
{
    const GstVideoInfo *info = &self->build->in;
    for (guint i = 0; i < n_frames; i++) {
        const FaceControls *controls = &self->controls[i];
        video_faces_select(self->faces[i], controls->selector, controls->min_size,
                           controls->max_faces, GST_VIDEO_INFO_WIDTH(info),
                           GST_VIDEO_INFO_HEIGHT(info), stream->chosen);
        g_array_set_size(stream->chosen, 0);
        for (guint k = 0; k < self->faces[i]->len; k++)
            g_array_append_val(stream->chosen, video_faces_at(self->faces[i], k)->track);
    }
}

static void make_jobs(FaceBatch *self, guint n_frames)
{
    g_array_set_size(self->jobs, 0);
    for (guint i = 0; i < n_frames; i++) {
        const FaceControls *controls = &self->controls[i];
        const GArray *faces = self->faces[i];
        self->first_job[i] = controls->blend > 0 ? (gint)self->jobs->len : -1;
        for (guint k = 0; k < faces->len && controls->blend > 0; k++) {
            const VideoFaceJob job = { .face = *video_faces_at(faces, k),
                                       .frame = i,
                                       .blend = controls->blend,
                                       .style = controls->style };
            g_array_append_val(self->jobs, job);
        }
    }
}

/* Faces mix with the enlarged frame, which is then all of the network. */
static gboolean enlarge_frames(FaceBatch *self, OclQueue *compute, guint n_frames, GError **error)
{
    const FaceBuild *build = self->build;
    for (guint i = 0; i < n_frames; i++)
        self->shares[i] = build->restorer ? 1 : self->controls[i].blend;
    return video_tiles_run(build->background.tiles, compute, self->frames, self->enlarged, n_frames,
                           self->shares, error);
}

gboolean face_batch_restore(FaceBatch *self, FaceStream *stream, OclQueue *compute, guint n_frames,
                            GError **error)
{
    const FaceBuild *build = self->build;
    if (build->background.tiles && !enlarge_frames(self, compute, n_frames, error))
        return FALSE;
    if (!build->restorer)
        return TRUE;
    if (self->state != BATCH_DECIDED) {
        if (build->detector)
            find_faces(self, stream, n_frames);
        select_faces(self, stream, n_frames);
        self->state = BATCH_DECIDED;
    }
    make_jobs(self, n_frames);
    return video_restorer_run(build->restorer, compute, self->list, self->frames, results(self),
                              (const VideoFaceJob *)self->jobs->data, self->jobs->len, error);
}

gboolean face_batch_download(FaceBatch *self, OclQueue *download, guint index, GstVideoFrame *frame,
                             GError **error)
{
    return video_frames_download(results(self), download, index, frame, error);
}

void face_batch_finish(FaceBatch *self, guint index, GstBuffer *buffer, FaceCounts *counts)
{
    VideoFaceJob *jobs = (VideoFaceJob *)self->jobs->data;
    const GArray *faces = self->faces[index];
    if (index == 0 && self->jobs->len > 0)
        video_face_list_results(self->list, jobs, self->jobs->len);
    counts->frames++;
    counts->frames_with_faces += faces->len > 0;
    counts->faces += faces->len;
    move_metas(buffer, self->origins[index], self->build->factor);
    for (guint i = 0; i < faces->len; i++) {
        const gint at = self->first_job[index];
        const VideoFaceJob *job = at < 0 ? NULL : &jobs[at + (gint)i];
        counts->restored += job && job->restored;
        /* Faces that came as metas are there already. */
        if (self->controls[index].attach_meta && self->build->detector) {
            const VideoFace face =
                enlarge_face(video_faces_at(faces, i), (float)self->build->factor);
            attach_meta(buffer, &self->build->out, &face, job);
        }
    }
}
