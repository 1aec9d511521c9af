/* gstgpenenhance.c - the portrait enhancement element: frames through an image-to-image network.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/**
 * SECTION:element-gpenenhance
 * @title: gpenenhance
 * @short_description: restores the faces in video with a network such as GPEN, on OpenCL
 *
 * Finds the faces of every frame with a detector network, turns them upright, restores those of
 * several frames at once with a network such as GPEN and pastes them back. Everything but the
 * choice of faces happens on the device, in the frame's own format: pixels without a face come out
 * as they went in, bit for bit.
 *
 * Faces are followed from frame to frame, and their landmarks smoothed, so that a still face does
 * not tremble; with `detect-interval` above 1 the detector only looks at every so many frames, and
 * faces go on as they went between them, and are led gently to where they are seen again.
 *
 * A restored face that no longer looks like the one that was there is left out. The measure is the
 * contrast and structure term of SSIM (-1 to 1) between the two, each seen from so far away that
 * 16 x 16 points of luma remain: shapes and shades must agree there, while the detail that the
 * network is for does not count. `similarity` is the least that is accepted in full; so that a face
 * does not come and go, one that is less similar by up to 0.1 is mixed with the one before.
 *
 * The face is pasted in a rounded square with a soft edge (`mask-blur`). With `mask-file`, a
 * network that tells the parts of a restored face apart, background, hat and clothes in it are left
 * as they were.
 *
 * Detail that a face would lose by being scaled to the network's size and back is given back, in
 * brightness, on top of what the network makes of it: of large faces all, of small ones half.
 *
 * The `stats` also have frames-with-faces, faces (chosen), faces-restored and mean-faces (per
 * frame), since READY.
 *
 * With `background-file` the rest of the frame goes through a network, too, such as Real-ESRGAN:
 * tile by tile, with overlaps so that no seams are seen. If it gives pictures twice as large, so is
 * what leaves the element, and faces are pasted there at that scale. They are cut from the frame as
 * it came.
 *
 * With `faces=meta` faces come as #GstVideoRegionOfInterestMeta of type "face", with landmarks in a
 * parameter structure of the same name (fields eye-left-x, eye-left-y, eye-right-x ... nose-x ...
 * mouth-left-x ... mouth-right-y, doubles in pixels) or without, which suits upright faces;
 * `attach-meta` makes such metas of what the detector finds. With `faces=aligned` the frame is an
 * aligned face and fills the network's input. With `faces=whole` the whole frame goes through the
 * network, and what comes out has the frame's size. A network that takes any size gets frames at
 * their own scale: in one piece where a quarter of the device's memory has room for its maps, else
 * in tiles of `tile-size` pixels. One of a fixed size gets the frame scaled to it, which suits
 * networks that have to see the whole picture, as for colours; if its description says `fit=tile`,
 * it gets tiles of its size at the frame's scale, which suits those that work on detail, as against
 * noise. To enlarge frames, set `background-file` alone.
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 filesrc location=in.mp4 ! decodebin ! videoconvert !
 * gpenenhance ! videoconvert ! x264enc ! mp4mux ! filesink location=out.mp4
 * ]| The faces of a video.
 * |[
 * gst-launch-1.0 filesrc location=group.jpg ! jpegdec ! videoconvert ! gpenenhance
 * model-file=gpen-512.onnx max-faces=100 blend=0.8 ! pngenc ! filesink location=restored.png
 * ]| Everyone in a group photo, mixed with a fifth of what was there.
 * |[
 * gst-launch-1.0 filesrc location=old.jpg ! jpegdec ! videoconvert ! gpenenhance
 * model-file=gpen-512.onnx background-file=realesrgan-x2.onnx ! pngenc ! filesink
 * location=large.png
 * ]| A photo of twice the size.
 * |[
 * gst-launch-1.0 filesrc location=face.png ! pngdec ! videoconvert ! gpenenhance
 * model-file=gpen-256.onnx faces=aligned ! pngenc ! filesink location=restored.png
 * ]| An aligned face.
 */
#include "gstgpenenhance.h"

#include "clmatte-models.h"
#include "gstclformats.h"
#include "gstclpicture.h"
#include "gstgpenproperties.h"

GST_DEBUG_CATEGORY_STATIC(gst_gpen_enhance_debug);
#define GST_CAT_DEFAULT gst_gpen_enhance_debug

struct _GstGpenEnhance {
    GstClBatchFilter parent;

    /* OBJECT_LOCK */
    GpenProperties properties;
    FaceCounts counts;
    guint factor; /* that frames are enlarged by; 0: between stop() and start() */

    /* the task, or the state change while no task runs */
    PictureModel *model, *parser, *background; /* NULL: no such file is set */
    VideoFit described_fit;                    /* as the network's description says */
    NnModel *detector;
    VideoModelInfo *detector_info; /* NULL: it has no description */
    FaceStream stream;
};

/* What is built for one device: one of the two. */
typedef struct {
    PictureBuild picture;         /* first: see enhance_whole() */
    FaceBuild *faces;             /* NULL: whole frames go through the network */
    VideoFromTensor *from_tensor; /* from the first batch on */
} EnhanceBuild;

/* A batch in flight. */
typedef struct {
    PictureBatch picture;
    FaceBatch *faces; /* NULL: whole frames */
    float *blend;     /* [max_frames], of whole frames */
} EnhanceBatch;

#define CAPS GST_VIDEO_CAPS_MAKE("{ " GST_CL_INPUT_FORMATS " }")
static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(CAPS));
static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(CAPS));

G_DEFINE_TYPE_WITH_CODE(GstGpenEnhance, gst_gpen_enhance, GST_TYPE_CL_BATCH_FILTER,
                        GST_DEBUG_CATEGORY_INIT(gst_gpen_enhance_debug, "gpenenhance", 0,
                                                "portrait enhancement on OpenCL devices"))
GST_ELEMENT_REGISTER_DEFINE(gpenenhance, "gpenenhance", GST_RANK_NONE, GST_TYPE_GPEN_ENHANCE)

/* ---------------------------------------------------------------- models and formats */

static NnModel *builtin_detector(GError **error)
{
    g_autoptr(GBytes) bytes =
        g_resource_lookup_data(clmatte_models_get_resource(), "/clmatte/models/clmatte-face.onnx",
                               G_RESOURCE_LOOKUP_FLAGS_NONE, NULL);
    return nn_model_load_bytes(bytes, "clmatte-face", error);
}

/* The detector that is set, or the one that is part of the plugin. */
static gboolean load_detector(GstGpenEnhance *self, const char *path_or_name, GError **error)
{
    g_autoptr(GError) reason = NULL;
    if (!path_or_name || !*path_or_name) {
        self->detector = builtin_detector(&reason);
    } else {
        g_autofree char *path = picture_model_find(path_or_name);
        self->detector = nn_model_load(path, &reason);
        if (!self->detector)
            picture_model_explain(path_or_name, reason);
        g_autofree char *sidecar = g_strconcat(path, ".modelinfo", NULL);
        if (self->detector && g_file_test(sidecar, G_FILE_TEST_EXISTS))
            self->detector_info = video_model_info_load(path, self->detector, &reason);
    }
    if (!reason)
        return TRUE;
    g_propagate_prefixed_error(error, g_steal_pointer(&reason), "face detector: ");
    return FALSE;
}

static void set_factor(GstGpenEnhance *self, guint factor)
{
    GST_OBJECT_LOCK(self);
    self->factor = factor;
    GST_OBJECT_UNLOCK(self);
}

static void gst_gpen_enhance_stop(GstClBatchFilter *filter)
{
    GstGpenEnhance *self = GST_GPEN_ENHANCE(filter);
    set_factor(self, 0);
    g_clear_pointer(&self->model, picture_model_free);
    g_clear_pointer(&self->parser, picture_model_free);
    g_clear_pointer(&self->background, picture_model_free);
    g_clear_pointer(&self->detector, nn_model_unref);
    g_clear_pointer(&self->detector_info, video_model_info_free);
    face_stream_clear(&self->stream);
}

static gboolean is_set(const char *path)
{
    return path && *path;
}

static gboolean load_background(GstGpenEnhance *self, const char *path, GError **error)
{
    guint factor = 1;
    if (is_set(path)) {
        self->background = background_model_new(path, &factor, error);
        if (!self->background)
            return FALSE;
    }
    set_factor(self, factor);
    return TRUE;
}

/* A network for the background alone enlarges frames and does nothing else. */
static gboolean load_models(GstGpenEnhance *self, const GpenProperties *properties, GError **error)
{
    if (!load_background(self, properties->background_file, error))
        return FALSE;
    const char *file = is_set(properties->model_file) ? properties->model_file : NULL;
    if (!file && self->background)
        return TRUE;
    self->model = picture_model_new(file ? file : "clmatte-restore", error);
    if (!self->model || !load_detector(self, properties->detector_file, error))
        return FALSE;
    if (is_set(properties->mask_file))
        self->parser = picture_model_new(properties->mask_file, error);
    return self->parser || !is_set(properties->mask_file);
}

static gboolean gst_gpen_enhance_start(GstClBatchFilter *filter, OclDevice *device, GError **error)
{
    GstGpenEnhance *self = GST_GPEN_ENHANCE(filter);
    GpenProperties properties;
    GST_OBJECT_LOCK(self);
    gpen_properties_copy(&self->properties, &properties);
    GST_OBJECT_UNLOCK(self);
    const gboolean loaded = load_models(self, &properties, error);
    gpen_properties_clear(&properties);
    if (!loaded) {
        gst_gpen_enhance_stop(filter);
        return FALSE;
    }
    GST_OBJECT_LOCK(self);
    self->counts = (FaceCounts){ 0 };
    GST_OBJECT_UNLOCK(self);
    if (self->model) {
        /* What is guessed of open sizes suits networks that give a matte. */
        if (self->model->info->guessed)
            self->model->info->short_side = 0;
        picture_tell_guess(filter, self->model);
        self->described_fit = self->model->info->fit;
    }
    face_stream_init(&self->stream);
    return TRUE;
}

/* What goes in comes out, enlarged; by how much is not known before the network is read. */
static GstCaps *gst_gpen_enhance_transform_caps(GstClBatchFilter *filter, GstPadDirection to,
                                                GstCaps *caps)
{
    GstGpenEnhance *self = GST_GPEN_ENHANCE(filter);
    GST_OBJECT_LOCK(self);
    const gboolean same =
        self->factor == 1 || (self->factor == 0 && !is_set(self->properties.background_file));
    const guint factor = self->factor;
    GST_OBJECT_UNLOCK(self);
    return same ? gst_caps_ref(caps) : background_scale_caps(caps, to, factor);
}

static void gst_gpen_enhance_release(GstClBatchFilter *filter, GstClBuild data)
{
    EnhanceBuild *build = data;
    g_clear_pointer(&build->faces, face_build_free);
    g_clear_pointer(&build->from_tensor, video_from_tensor_free);
    picture_build_clear(&build->picture);
    g_free(build);
}

/* Whole frames at their own scale are a background without faces. */
static gboolean build_faces(GstGpenEnhance *self, EnhanceBuild *build, OclDevice *device,
                            const GstVideoInfo *in, const GstVideoInfo *out, guint max_frames,
                            const GpenProperties *properties, GError **error)
{
    const gboolean detect = properties->faces == GPEN_FACES_DETECT;
    const gboolean whole = properties->faces == GPEN_FACES_WHOLE;
    const FaceBuildParams params = { .restorer = whole ? NULL : self->model,
                                     .parser = self->parser,
                                     .detector = detect ? self->detector : NULL,
                                     .detector_info = self->detector_info,
                                     .detector_side = properties->detector_side,
                                     .max_samples = properties->max_samples,
                                     .background = whole ? self->model : self->background,
                                     .factor = self->factor,
                                     .tiles = { .side = properties->tile_side,
                                                .overlap = properties->tile_overlap,
                                                .max_frames = max_frames,
                                                .in_one = whole },
                                     .precision = properties->precision };
    build->faces = face_build_new(device, in, out, max_frames, &params, error);
    return build->faces != NULL;
}

static void set_up_models(GstGpenEnhance *self, gboolean aligned)
{
    PictureModel *models[] = { self->model, self->parser, self->background };
    for (guint i = 0; i < G_N_ELEMENTS(models); i++)
        if (models[i])
            gst_cl_batch_filter_get_tuning(GST_CL_BATCH_FILTER(self), &models[i]->tuning,
                                           &models[i]->tuning_ms);
    if (self->model)
        self->model->info->fit = aligned ? VIDEO_FIT_STRETCH : self->described_fit;
}

/* Whether the frame is @scaled to the network's size as a whole, which may not be possible. */
static gboolean check_whole(GstGpenEnhance *self, GpenFaces faces, gboolean *scaled, GError **error)
{
    guint factor = 1;
    *scaled = faces == GPEN_FACES_ALIGNED || faces == GPEN_FACES_WHOLE;
    if (*scaled && self->background) {
        g_set_error(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS,
                    "background-file does the whole frame, so model-file cannot: set faces to "
                    "detect or meta.");
        return FALSE;
    }
    if (faces == GPEN_FACES_WHOLE && background_keeps_scale(self->model, &factor))
        *scaled = factor == 0;
    if (factor <= 1)
        return TRUE;
    g_set_error(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS,
                "The network (model-file) gives pictures %u times as large, but with faces=whole "
                "frames keep their size: set it as background-file instead.",
                factor);
    return FALSE;
}

static GstClBuild gst_gpen_enhance_prepare(GstClBatchFilter *filter, OclDevice *device,
                                           const GstVideoInfo *in, const GstVideoInfo *out,
                                           guint max_frames, GError **error)
{
    GstGpenEnhance *self = GST_GPEN_ENHANCE(filter);
    GST_OBJECT_LOCK(self);
    const GpenProperties properties = self->properties;
    GST_OBJECT_UNLOCK(self);
    gboolean scaled;
    if (!check_whole(self, properties.faces, &scaled, error))
        return NULL;
    set_up_models(self, properties.faces == GPEN_FACES_ALIGNED);
    EnhanceBuild *build = g_new0(EnhanceBuild, 1);
    if (scaled ? picture_build_init(&build->picture, self->model, device, in, out, max_frames,
                                    properties.precision, error)
               : build_faces(self, build, device, in, out, max_frames, &properties, error))
        return build;
    gst_gpen_enhance_release(filter, build);
    return NULL;
}

/* ---------------------------------------------------------------- batches */

/* It serves all batches; where the network's tensors lie is known with the first one. */
static gboolean make_conversion(EnhanceBuild *build, const EnhanceBatch *batch, GError **error)
{
    const PictureBuild *picture = &build->picture;
    const NnPlace output = picture_batch_output(&batch->picture);
    if (!build->from_tensor)
        build->from_tensor = video_from_tensor_new(picture->network->device, &picture->in,
                                                   &picture->out, picture->network->model->info,
                                                   picture->max_frames, &output, error);
    return build->from_tensor != NULL;
}

static void gst_gpen_enhance_batch_free(GstClBatchFilter *filter, GstClBatch data)
{
    EnhanceBatch *batch = data;
    g_clear_pointer(&batch->faces, face_batch_free);
    picture_batch_clear(&batch->picture);
    g_free(batch->blend);
    g_free(batch);
}

static gboolean fill_batch(EnhanceBatch *batch, EnhanceBuild *build, GError **error)
{
    if (!build->faces)
        return picture_batch_init(&batch->picture, &build->picture, error) &&
               make_conversion(build, batch, error);
    batch->faces = face_batch_new(build->faces, error);
    return batch->faces != NULL;
}

static GstClBatch gst_gpen_enhance_batch_new(GstClBatchFilter *filter, GstClBuild data,
                                             guint max_frames, GError **error)
{
    EnhanceBatch *batch = g_new0(EnhanceBatch, 1);
    batch->blend = g_new0(float, max_frames);
    if (fill_batch(batch, data, error))
        return batch;
    gst_gpen_enhance_batch_free(filter, batch);
    return NULL;
}

static void gst_gpen_enhance_snapshot(GstClBatchFilter *filter, GstClBatch data, guint index)
{
    GstGpenEnhance *self = GST_GPEN_ENHANCE(filter);
    EnhanceBatch *batch = data;
    GST_OBJECT_LOCK(self);
    FaceControls controls = self->properties.controls;
    const int template = self->properties.template;
    GST_OBJECT_UNLOCK(self);
    if (template != GPEN_TEMPLATE_AUTO)
        controls.style.template = (VideoTemplate) template;
    else if (self->model)
        controls.style.template = self->model->info->template;
    batch->blend[index] = controls.blend;
    if (batch->faces && index == 0)
        face_batch_begin(batch->faces);
    if (batch->faces)
        *face_batch_controls(batch->faces, index) = controls;
}

static void gst_gpen_enhance_snapshot_copy(GstClBatchFilter *filter, GstClBatch from, GstClBatch to,
                                           guint index)
{
    EnhanceBatch *source = from, *target = to;
    target->blend[index] = source->blend[index];
    if (source->faces && target->faces)
        face_batch_copy(source->faces, target->faces, index);
}

static gboolean gst_gpen_enhance_upload(GstClBatchFilter *filter, GstClBatch data, OclQueue *upload,
                                        guint index, GstVideoFrame *frame, GError **error)
{
    EnhanceBatch *batch = data;
    return batch->faces ? face_batch_upload(batch->faces, upload, index, frame, error)
                        : picture_upload(filter, batch, upload, index, frame, error);
}

/* The first half: nothing, for whole frames. */
static gboolean gst_gpen_enhance_has_first(GstClBatchFilter *filter, GstClBatch data,
                                           guint n_frames)
{
    GstGpenEnhance *self = GST_GPEN_ENHANCE(filter);
    EnhanceBatch *batch = data;
    GST_OBJECT_LOCK(self);
    const guint interval = self->properties.detect_interval;
    GST_OBJECT_UNLOCK(self);
    return batch->faces && face_batch_plan(batch->faces, &self->stream, n_frames, interval);
}

static gboolean gst_gpen_enhance_compute(GstClBatchFilter *filter, GstClBatch data,
                                         OclQueue *compute, guint n_frames, GError **error)
{
    return face_batch_detect(((EnhanceBatch *)data)->faces, compute, n_frames, error);
}

static gboolean enhance_whole(EnhanceBatch *batch, OclQueue *compute, guint n_frames,
                              GError **error)
{
    const EnhanceBuild *build = (EnhanceBuild *)batch->picture.build;
    const NnPlace output = picture_batch_output(&batch->picture);
    return picture_batch_run(&batch->picture, compute, n_frames, error) &&
           video_from_tensor_run(build->from_tensor, compute, batch->picture.in, batch->picture.out,
                                 n_frames, &output, batch->blend, error);
}

static gboolean gst_gpen_enhance_proceed(GstClBatchFilter *filter, GstClBatch data,
                                         OclQueue *compute, guint n_frames, GError **error)
{
    EnhanceBatch *batch = data;
    return batch->faces ? face_batch_restore(batch->faces, &GST_GPEN_ENHANCE(filter)->stream,
                                             compute, n_frames, error)
                        : enhance_whole(batch, compute, n_frames, error);
}

static gboolean gst_gpen_enhance_download(GstClBatchFilter *filter, GstClBatch data,
                                          OclQueue *download, guint index, GstVideoFrame *frame,
                                          GError **error)
{
    EnhanceBatch *batch = data;
    return batch->faces ? face_batch_download(batch->faces, download, index, frame, error)
                        : picture_download(filter, batch, download, index, frame, error);
}

static void gst_gpen_enhance_finish(GstClBatchFilter *filter, GstClBatch data, guint index,
                                    GstBuffer *buffer)
{
    GstGpenEnhance *self = GST_GPEN_ENHANCE(filter);
    EnhanceBatch *batch = data;
    if (!batch->faces)
        return;
    FaceCounts counts = { 0 };
    face_batch_finish(batch->faces, index, buffer, &counts);
    GST_OBJECT_LOCK(self);
    self->counts.frames += counts.frames;
    self->counts.frames_with_faces += counts.frames_with_faces;
    self->counts.faces += counts.faces;
    self->counts.restored += counts.restored;
    GST_OBJECT_UNLOCK(self);
}

static void gst_gpen_enhance_add_stats(GstClBatchFilter *filter, GstStructure *stats)
{
    GstGpenEnhance *self = GST_GPEN_ENHANCE(filter);
    GST_OBJECT_LOCK(self);
    const FaceCounts counts = self->counts;
    GST_OBJECT_UNLOCK(self);
    const double mean = counts.frames ? (double)counts.faces / (double)counts.frames : 0;
    gst_structure_set(stats, "frames-with-faces", G_TYPE_UINT64, counts.frames_with_faces, "faces",
                      G_TYPE_UINT64, counts.faces, "faces-restored", G_TYPE_UINT64, counts.restored,
                      "mean-faces", G_TYPE_DOUBLE, mean, NULL);
}

static void gst_gpen_enhance_reset(GstClBatchFilter *filter)
{
    face_stream_reset(&GST_GPEN_ENHANCE(filter)->stream);
}

/* ---------------------------------------------------------------- class */

static void gst_gpen_enhance_set_property(GObject *object, guint id, const GValue *value,
                                          GParamSpec *spec)
{
    GstGpenEnhance *self = GST_GPEN_ENHANCE(object);
    GST_OBJECT_LOCK(self);
    const gboolean rebuild = gpen_properties_set(&self->properties, id, value);
    GST_OBJECT_UNLOCK(self);
    if (rebuild)
        gst_cl_batch_filter_rebuild(GST_CL_BATCH_FILTER(self));
}

static void gst_gpen_enhance_get_property(GObject *object, guint id, GValue *value,
                                          GParamSpec *spec)
{
    GstGpenEnhance *self = GST_GPEN_ENHANCE(object);
    GST_OBJECT_LOCK(self);
    gpen_properties_get(&self->properties, id, value);
    GST_OBJECT_UNLOCK(self);
}

static void gst_gpen_enhance_finalize(GObject *object)
{
    gpen_properties_clear(&GST_GPEN_ENHANCE(object)->properties);
    G_OBJECT_CLASS(gst_gpen_enhance_parent_class)->finalize(object);
}

static void gst_gpen_enhance_class_init(GstGpenEnhanceClass *klass)
{
    GObjectClass *object_class = G_OBJECT_CLASS(klass);
    GstElementClass *element_class = GST_ELEMENT_CLASS(klass);
    GstClBatchFilterClass *filter_class = GST_CL_BATCH_FILTER_CLASS(klass);

    object_class->set_property = gst_gpen_enhance_set_property;
    object_class->get_property = gst_gpen_enhance_get_property;
    object_class->finalize = gst_gpen_enhance_finalize;
    gpen_properties_install(object_class);

    gst_element_class_add_static_pad_template(element_class, &sink_template);
    gst_element_class_add_static_pad_template(element_class, &src_template);
    gst_element_class_set_static_metadata(
        element_class, "Portrait enhancement", "Filter/Effect/Video",
        "Finds the faces in video and restores them with a network such as GPEN (ONNX) on an "
        "OpenCL device",
        "the gst-clmatte developers");

    filter_class->start = gst_gpen_enhance_start;
    filter_class->stop = gst_gpen_enhance_stop;
    filter_class->transform_caps = gst_gpen_enhance_transform_caps;
    filter_class->prepare = gst_gpen_enhance_prepare;
    filter_class->release = gst_gpen_enhance_release;
    filter_class->batch_new = gst_gpen_enhance_batch_new;
    filter_class->batch_free = gst_gpen_enhance_batch_free;
    filter_class->snapshot = gst_gpen_enhance_snapshot;
    filter_class->snapshot_copy = gst_gpen_enhance_snapshot_copy;
    filter_class->upload = gst_gpen_enhance_upload;
    filter_class->compute = gst_gpen_enhance_compute;
    filter_class->has_first = gst_gpen_enhance_has_first;
    filter_class->proceed = gst_gpen_enhance_proceed;
    filter_class->download = gst_gpen_enhance_download;
    filter_class->finish = gst_gpen_enhance_finish;
    filter_class->add_stats = gst_gpen_enhance_add_stats;
    filter_class->reset = gst_gpen_enhance_reset;
}

static void gst_gpen_enhance_init(GstGpenEnhance *self)
{
    gpen_properties_init(&self->properties);
}
