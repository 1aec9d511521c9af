/* gstgpenenhance.c - the portrait enhancement element: frames through an image-to-image network.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/**
 * SECTION:element-gpenenhance
 * @title: gpenenhance
 * @short_description: restores portraits with an image-to-image network on OpenCL
 *
 * Runs every frame through an ONNX network that takes a picture and gives a picture, such as GPEN,
 * and mixes the result with the frame.
 *
 * Face restoration networks are trained on aligned face crops; with `faces=aligned` the frame is
 * taken to be one and fills the network's input. With `faces=whole` the frame goes in as the
 * network's description says, which suits networks that enhance whole pictures.
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 filesrc location=face.png ! pngdec ! videoconvert ! gpenenhance
 * model-file=gpen-256.onnx faces=aligned ! pngenc ! filesink location=restored.png
 * ]| An aligned face, restored.
 * |[
 * gst-launch-1.0 videotestsrc num-buffers=50 ! gpenenhance model-file=enhance.onnx blend=0.5 !
 * videoconvert ! autovideosink
 * ]| Half of the effect.
 */
#include "gstgpenenhance.h"

#include "gstclenums.h"
#include "gstclformats.h"
#include "gstclpicture.h"

GST_DEBUG_CATEGORY_STATIC(gst_gpen_enhance_debug);
#define GST_CAT_DEFAULT gst_gpen_enhance_debug

#define DEFAULT_BLEND 1.0f

typedef enum {
    FACES_WHOLE,
    FACES_ALIGNED,
} GstGpenEnhanceFaces;

enum {
    PROP_0,
    PROP_MODEL_FILE,
    PROP_PRECISION,
    PROP_FACES,
    PROP_BLEND,
};

struct _GstGpenEnhance {
    GstClBatchFilter parent;

    /* OBJECT_LOCK: properties */
    char *model_file;
    NnPrecision precision;
    GstGpenEnhanceFaces faces;
    float blend;

    /* the task, or the state change while no task runs */
    PictureModel *model;
    VideoFit described_fit; /* as the network's description says */
};

/* What is built for one device. */
typedef struct {
    PictureBuild picture;
    VideoFromTensor *from_tensor; /* from the first batch on */
} EnhanceBuild;

/* A batch in flight. */
typedef struct {
    PictureBatch picture;
    float *blend; /* [max_frames] */
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

#define GST_TYPE_GPEN_ENHANCE_FACES (faces_get_type())
static GType faces_get_type(void)
{
    static gsize type;
    static const GEnumValue values[] = {
        { FACES_WHOLE, "The whole frame, fitted as the network's description says", "whole" },
        { FACES_ALIGNED, "The frame is an aligned face crop and fills the network's input",
          "aligned" },
        { 0, NULL, NULL },
    };
    if (g_once_init_enter(&type))
        g_once_init_leave(&type, g_enum_register_static("GstGpenEnhanceFaces", values));
    return type;
}

/* ---------------------------------------------------------------- properties */

static void gst_gpen_enhance_set_property(GObject *object, guint id, const GValue *value,
                                          GParamSpec *spec)
{
    GstGpenEnhance *self = GST_GPEN_ENHANCE(object);
    GST_OBJECT_LOCK(self);
    switch (id) {
    case PROP_MODEL_FILE:
        g_free(self->model_file);
        self->model_file = g_value_dup_string(value);
        break;
    case PROP_PRECISION:
        self->precision = g_value_get_enum(value);
        break;
    case PROP_FACES:
        self->faces = g_value_get_enum(value);
        break;
    case PROP_BLEND:
        self->blend = g_value_get_float(value);
        break;
    default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
        break;
    }
    GST_OBJECT_UNLOCK(self);
    if (id == PROP_PRECISION || id == PROP_FACES)
        gst_cl_batch_filter_rebuild(GST_CL_BATCH_FILTER(self));
}

static void gst_gpen_enhance_get_property(GObject *object, guint id, GValue *value,
                                          GParamSpec *spec)
{
    GstGpenEnhance *self = GST_GPEN_ENHANCE(object);
    GST_OBJECT_LOCK(self);
    switch (id) {
    case PROP_MODEL_FILE:
        g_value_set_string(value, self->model_file);
        break;
    case PROP_PRECISION:
        g_value_set_enum(value, self->precision);
        break;
    case PROP_FACES:
        g_value_set_enum(value, self->faces);
        break;
    case PROP_BLEND:
        g_value_set_float(value, self->blend);
        break;
    default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
        break;
    }
    GST_OBJECT_UNLOCK(self);
}

/* ---------------------------------------------------------------- model and formats */

static gboolean gst_gpen_enhance_start(GstClBatchFilter *filter, OclDevice *device, GError **error)
{
    GstGpenEnhance *self = GST_GPEN_ENHANCE(filter);
    GST_OBJECT_LOCK(self);
    g_autofree char *path = g_strdup(self->model_file);
    GST_OBJECT_UNLOCK(self);
    if (!path || !*path) {
        g_set_error(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS,
                    "No network is set. Give the path of an image-to-image network in ONNX form: "
                    "gpenenhance model-file=/path/to/network.onnx");
        return FALSE;
    }
    self->model = picture_model_new(path, error);
    if (!self->model)
        return FALSE;
    self->described_fit = self->model->info->fit;
    return TRUE;
}

static void gst_gpen_enhance_stop(GstClBatchFilter *filter)
{
    g_clear_pointer(&GST_GPEN_ENHANCE(filter)->model, picture_model_free);
}

/* What goes in comes out. */
static GstCaps *gst_gpen_enhance_transform_caps(GstClBatchFilter *filter, GstPadDirection to,
                                                GstCaps *caps)
{
    return gst_caps_ref(caps);
}

static void gst_gpen_enhance_release(GstClBatchFilter *filter, GstClBuild data)
{
    EnhanceBuild *build = data;
    g_clear_pointer(&build->from_tensor, video_from_tensor_free);
    picture_build_clear(&build->picture);
    g_free(build);
}

static GstClBuild gst_gpen_enhance_prepare(GstClBatchFilter *filter, OclDevice *device,
                                           const GstVideoInfo *in, const GstVideoInfo *out,
                                           guint max_frames, GError **error)
{
    GstGpenEnhance *self = GST_GPEN_ENHANCE(filter);
    GST_OBJECT_LOCK(self);
    const NnPrecision precision = self->precision;
    const gboolean aligned = self->faces == FACES_ALIGNED;
    GST_OBJECT_UNLOCK(self);
    self->model->info->fit = aligned ? VIDEO_FIT_STRETCH : self->described_fit;
    EnhanceBuild *build = g_new0(EnhanceBuild, 1);
    if (picture_build_init(&build->picture, self->model, device, in, out, max_frames, precision,
                           error))
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
    picture_batch_clear(&batch->picture);
    g_free(batch->blend);
    g_free(batch);
}

static GstClBatch gst_gpen_enhance_batch_new(GstClBatchFilter *filter, GstClBuild data,
                                             guint max_frames, GError **error)
{
    EnhanceBuild *build = data;
    EnhanceBatch *batch = g_new0(EnhanceBatch, 1);
    batch->blend = g_new0(float, max_frames);
    if (picture_batch_init(&batch->picture, &build->picture, error) &&
        make_conversion(build, batch, error))
        return batch;
    gst_gpen_enhance_batch_free(filter, batch);
    return NULL;
}

static void gst_gpen_enhance_snapshot(GstClBatchFilter *filter, GstClBatch data, guint index)
{
    GST_OBJECT_LOCK(filter);
    ((EnhanceBatch *)data)->blend[index] = GST_GPEN_ENHANCE(filter)->blend;
    GST_OBJECT_UNLOCK(filter);
}

static gboolean gst_gpen_enhance_compute(GstClBatchFilter *filter, GstClBatch data,
                                         OclQueue *compute, guint n_frames, GError **error)
{
    EnhanceBatch *batch = data;
    const EnhanceBuild *build = (EnhanceBuild *)batch->picture.build;
    const NnPlace output = picture_batch_output(&batch->picture);
    return picture_batch_run(&batch->picture, compute, n_frames, error) &&
           video_from_tensor_run(build->from_tensor, compute, batch->picture.in, batch->picture.out,
                                 n_frames, &output, batch->blend, error);
}

/* ---------------------------------------------------------------- class */

static void gst_gpen_enhance_finalize(GObject *object)
{
    g_free(GST_GPEN_ENHANCE(object)->model_file);
    G_OBJECT_CLASS(gst_gpen_enhance_parent_class)->finalize(object);
}

static void install_properties(GObjectClass *klass)
{
    const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS;
    g_object_class_install_property(
        klass, PROP_MODEL_FILE,
        g_param_spec_string("model-file", "Model file",
                            "Path of the image-to-image network, an ONNX file. How it wants its "
                            "pictures comes from <model-file>.modelinfo or a preset for known "
                            "networks. Read on the way from NULL to READY",
                            NULL, flags | GST_PARAM_MUTABLE_READY));
    g_object_class_install_property(klass, PROP_PRECISION, gst_cl_precision_param_spec());
    g_object_class_install_property(klass, PROP_FACES,
                                    g_param_spec_enum("faces", "Faces",
                                                      "What of the frame goes through the network",
                                                      GST_TYPE_GPEN_ENHANCE_FACES, FACES_WHOLE,
                                                      flags | GST_PARAM_MUTABLE_PLAYING));
    g_object_class_install_property(
        klass, PROP_BLEND,
        g_param_spec_float("blend", "Blend",
                           "Share of the network's picture in the result: 0 is the frame itself, "
                           "1 the network's",
                           0, 1, DEFAULT_BLEND,
                           flags | GST_PARAM_MUTABLE_PLAYING | GST_PARAM_CONTROLLABLE));
}

static void gst_gpen_enhance_class_init(GstGpenEnhanceClass *klass)
{
    GObjectClass *object_class = G_OBJECT_CLASS(klass);
    GstElementClass *element_class = GST_ELEMENT_CLASS(klass);
    GstClBatchFilterClass *filter_class = GST_CL_BATCH_FILTER_CLASS(klass);

    object_class->set_property = gst_gpen_enhance_set_property;
    object_class->get_property = gst_gpen_enhance_get_property;
    object_class->finalize = gst_gpen_enhance_finalize;
    install_properties(object_class);
    gst_type_mark_as_plugin_api(GST_TYPE_GPEN_ENHANCE_FACES, 0);

    gst_element_class_add_static_pad_template(element_class, &sink_template);
    gst_element_class_add_static_pad_template(element_class, &src_template);
    gst_element_class_set_static_metadata(
        element_class, "Portrait enhancement", "Filter/Effect/Video",
        "Restores portraits, or enhances whole pictures, with an image-to-image network (ONNX) on "
        "an OpenCL device",
        "the gst-clmatte developers");

    filter_class->start = gst_gpen_enhance_start;
    filter_class->stop = gst_gpen_enhance_stop;
    filter_class->transform_caps = gst_gpen_enhance_transform_caps;
    filter_class->prepare = gst_gpen_enhance_prepare;
    filter_class->release = gst_gpen_enhance_release;
    filter_class->batch_new = gst_gpen_enhance_batch_new;
    filter_class->batch_free = gst_gpen_enhance_batch_free;
    filter_class->snapshot = gst_gpen_enhance_snapshot;
    filter_class->upload = picture_upload;
    filter_class->compute = gst_gpen_enhance_compute;
    filter_class->download = picture_download;
}

static void gst_gpen_enhance_init(GstGpenEnhance *self)
{
    self->precision = NN_PRECISION_AUTO;
    self->blend = DEFAULT_BLEND;
}
