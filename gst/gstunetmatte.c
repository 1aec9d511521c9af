/* gstunetmatte.c - the matting element: who is in front, what is behind.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/**
 * SECTION:element-unetmatte
 * @title: unetmatte
 * @short_description: cuts out people or objects with a matting network on OpenCL
 *
 * Computes an alpha matte for every frame with an ONNX network and either adds it to the picture as
 * straight (not premultiplied) alpha, composes the picture over another background, or gives the
 * matte alone, as the negotiated output format says: a format with alpha, an opaque one or GRAY8.
 *
 * Any matting network will do. How it wants its pictures comes from a small description file beside
 * the model (`model.onnx.modelinfo`) or, for well-known networks, from a preset.
 *
 * Use `compositor` behind it to lay the result over another stream; an element that does not know
 * alpha, such as `videoconvert` to RGB, shows the background again.
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 filesrc location=photo.jpg ! decodebin ! videoconvert ! unetmatte
 * model-file=u2netp.onnx ! pngenc ! filesink location=cutout.png
 * ]| A photo with its background made transparent.
 * |[
 * gst-launch-1.0 v4l2src ! videoconvert ! unetmatte model-file=selfie.onnx background=blur !
 * videoconvert ! autovideosink
 * ]| A camera with the background blurred.
 * |[
 * gst-launch-1.0 videotestsrc num-buffers=50 ! unetmatte model-file=matting.onnx !
 * video/x-raw,format=GRAY8 ! videoconvert ! autovideosink
 * ]| The matte alone.
 */
#include "gstunetmatte.h"

#include "gstclenums.h"
#include "gstclformats.h"
#include "gstclimage.h"
#include "gstclpicture.h"

GST_DEBUG_CATEGORY_STATIC(gst_unet_matte_debug);
#define GST_CAT_DEFAULT gst_unet_matte_debug

#define MAX_EDGE_PX 64
#define MAX_GAMMA 10.0f
#define DEFAULT_BLUR_RADIUS 0.03f

static const VideoMatteControls default_look = {
    .background = VIDEO_BACKGROUND_TRANSPARENT,
    .background_color = 0xff00ff00, /* the green of green screens */
    .blur_radius = DEFAULT_BLUR_RADIUS,
    .alpha_low = 0.0f,
    .alpha_high = 1.0f,
    .gamma = 1.0f,
};

enum {
    PROP_0,
    PROP_MODEL_FILE,
    PROP_PRECISION,
    PROP_BACKGROUND,
    PROP_BACKGROUND_COLOR,
    PROP_BACKGROUND_LOCATION,
    PROP_BLUR_RADIUS,
    PROP_ALPHA_LOW,
    PROP_ALPHA_HIGH,
    PROP_GAMMA,
    PROP_FEATHER,
    PROP_ERODE,
    PROP_REFINE,
    PROP_TEMPORAL,
    PROP_FOREGROUND,
};

struct _GstUnetMatte {
    GstClBatchFilter parent;

    /* OBJECT_LOCK: properties */
    char *model_file;
    char *background_location;
    NnPrecision precision;
    VideoMatteControls look;

    /* the task, or the state change while no task runs */
    PictureModel *model;
    GstSample *image;     /* decoded background-location, NULL: none */
    char *image_location; /* of image */
    NnSlot *last;         /* that of the last frame, with its states; NULL: at a beginning */
};

/* What is built for one device. */
typedef struct {
    PictureBuild picture;
    VideoCompose *compose; /* from the first batch on */
} MatteBuild;

/* A batch in flight. */
typedef struct {
    PictureBatch picture;
    VideoMatteControls *look; /* [max_frames] */
} MatteBatch;

static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS,
                            GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE("{ " GST_CL_INPUT_FORMATS " }")));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS,
    GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE("{ AYUV, A420, " GST_CL_INPUT_FORMATS ", GRAY8 }")));

G_DEFINE_TYPE_WITH_CODE(GstUnetMatte, gst_unet_matte, GST_TYPE_CL_BATCH_FILTER,
                        GST_DEBUG_CATEGORY_INIT(gst_unet_matte_debug, "unetmatte", 0,
                                                "matting on OpenCL devices"))
GST_ELEMENT_REGISTER_DEFINE(unetmatte, "unetmatte", GST_RANK_NONE, GST_TYPE_UNET_MATTE)

#define GST_TYPE_UNET_MATTE_BACKGROUND (background_get_type())
static GType background_get_type(void)
{
    static gsize type;
    static const GEnumValue values[] = {
        { VIDEO_BACKGROUND_TRANSPARENT, "Nothing: straight alpha", "transparent" },
        { VIDEO_BACKGROUND_COLOR, "One colour (background-color)", "color" },
        { VIDEO_BACKGROUND_BLUR, "The frame's own background, blurred (blur-radius)", "blur" },
        { VIDEO_BACKGROUND_IMAGE, "A picture that covers the frame (background-location)",
          "image" },
        { VIDEO_BACKGROUND_KEEP, "The frame's own background, untouched", "keep" },
        { 0, NULL, NULL },
    };
    if (g_once_init_enter(&type))
        g_once_init_leave(&type, g_enum_register_static("GstUnetMatteBackground", values));
    return type;
}

#define GST_TYPE_UNET_MATTE_REFINE (refine_get_type())
static GType refine_get_type(void)
{
    static gsize type;
    static const GEnumValue values[] = {
        { FALSE, "The network's matte, enlarged", "none" },
        { TRUE, "Edges of the matte follow those of the picture (guided filter)", "guided" },
        { 0, NULL, NULL },
    };
    if (g_once_init_enter(&type))
        g_once_init_leave(&type, g_enum_register_static("GstUnetMatteRefine", values));
    return type;
}

#define GST_TYPE_UNET_MATTE_FOREGROUND (foreground_get_type())
static GType foreground_get_type(void)
{
    static gsize type;
    static const GEnumValue values[] = {
        { VIDEO_FOREGROUND_FRAME, "Those of the frame, at soft edges with what was behind",
          "frame" },
        { VIDEO_FOREGROUND_ESTIMATED, "Estimated without what was behind, against halos",
          "estimated" },
        { 0, NULL, NULL },
    };
    if (g_once_init_enter(&type))
        g_once_init_leave(&type, g_enum_register_static("GstUnetMatteForeground", values));
    return type;
}

/* ---------------------------------------------------------------- properties */

static void set_background(GstUnetMatte *self, VideoBackground background)
{
    GST_OBJECT_LOCK(self);
    const gboolean changes = (self->look.background == VIDEO_BACKGROUND_TRANSPARENT) !=
                             (background == VIDEO_BACKGROUND_TRANSPARENT);
    self->look.background = background;
    GST_OBJECT_UNLOCK(self);
    /* Other formats are possible now: opaque ones, or no longer. */
    if (changes)
        gst_cl_batch_filter_renegotiate(GST_CL_BATCH_FILTER(self));
}

static void set_string(GstUnetMatte *self, char **field, const GValue *value)
{
    GST_OBJECT_LOCK(self);
    g_free(*field);
    *field = g_value_dup_string(value);
    GST_OBJECT_UNLOCK(self);
    gst_cl_batch_filter_rebuild(GST_CL_BATCH_FILTER(self));
}

static void set_look(GstUnetMatte *self, guint id, const GValue *value)
{
    VideoMatteControls *look = &self->look;
    GST_OBJECT_LOCK(self);
    switch (id) {
    case PROP_BACKGROUND_COLOR:
        look->background_color = g_value_get_uint(value);
        break;
    case PROP_BLUR_RADIUS:
        look->blur_radius = g_value_get_float(value);
        break;
    case PROP_ALPHA_LOW:
        look->alpha_low = g_value_get_float(value);
        break;
    case PROP_ALPHA_HIGH:
        look->alpha_high = g_value_get_float(value);
        break;
    case PROP_GAMMA:
        look->gamma = g_value_get_float(value);
        break;
    case PROP_FEATHER:
        look->feather = g_value_get_int(value);
        break;
    case PROP_ERODE:
        look->erode = g_value_get_int(value);
        break;
    case PROP_REFINE:
        look->refine = g_value_get_enum(value);
        break;
    case PROP_TEMPORAL:
        look->temporal = g_value_get_float(value);
        break;
    case PROP_FOREGROUND:
        look->foreground = g_value_get_enum(value);
        break;
    default:
        break;
    }
    GST_OBJECT_UNLOCK(self);
}

static void gst_unet_matte_set_property(GObject *object, guint id, const GValue *value,
                                        GParamSpec *spec)
{
    GstUnetMatte *self = GST_UNET_MATTE(object);
    switch (id) {
    case PROP_MODEL_FILE:
        set_string(self, &self->model_file, value);
        break;
    case PROP_BACKGROUND_LOCATION:
        set_string(self, &self->background_location, value);
        break;
    case PROP_PRECISION:
        GST_OBJECT_LOCK(self);
        self->precision = g_value_get_enum(value);
        GST_OBJECT_UNLOCK(self);
        gst_cl_batch_filter_rebuild(GST_CL_BATCH_FILTER(self));
        break;
    case PROP_BACKGROUND:
        set_background(self, g_value_get_enum(value));
        break;
    default:
        set_look(self, id, value);
        break;
    }
}

static void gst_unet_matte_get_property(GObject *object, guint id, GValue *value, GParamSpec *spec)
{
    GstUnetMatte *self = GST_UNET_MATTE(object);
    const VideoMatteControls *look = &self->look;
    GST_OBJECT_LOCK(self);
    switch (id) {
    case PROP_MODEL_FILE:
        g_value_set_string(value, self->model_file);
        break;
    case PROP_PRECISION:
        g_value_set_enum(value, self->precision);
        break;
    case PROP_BACKGROUND:
        g_value_set_enum(value, look->background);
        break;
    case PROP_BACKGROUND_COLOR:
        g_value_set_uint(value, look->background_color);
        break;
    case PROP_BACKGROUND_LOCATION:
        g_value_set_string(value, self->background_location);
        break;
    case PROP_BLUR_RADIUS:
        g_value_set_float(value, look->blur_radius);
        break;
    case PROP_ALPHA_LOW:
        g_value_set_float(value, look->alpha_low);
        break;
    case PROP_ALPHA_HIGH:
        g_value_set_float(value, look->alpha_high);
        break;
    case PROP_GAMMA:
        g_value_set_float(value, look->gamma);
        break;
    case PROP_FEATHER:
        g_value_set_int(value, look->feather);
        break;
    case PROP_ERODE:
        g_value_set_int(value, look->erode);
        break;
    case PROP_REFINE:
        g_value_set_enum(value, look->refine);
        break;
    case PROP_TEMPORAL:
        g_value_set_float(value, look->temporal);
        break;
    case PROP_FOREGROUND:
        g_value_set_enum(value, look->foreground);
        break;
    default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
        break;
    }
    GST_OBJECT_UNLOCK(self);
}

/* ---------------------------------------------------------------- model and background picture */

/* Without a path, the network that ships: the fine one where a GPU has the speed for it. */
static PictureModel *load_model(GstUnetMatte *self, OclDevice *device, GError **error)
{
    GST_OBJECT_LOCK(self);
    g_autofree char *path = g_strdup(self->model_file);
    GST_OBJECT_UNLOCK(self);
    const char *fitting = device->device_class == OCL_CLASS_CPU ? "clmatte-fast" : "clmatte-fine";
    return picture_model_new(path && *path ? path : fitting, error);
}

static gboolean gives_matte(const PictureModel *model, GError **error)
{
    if (!model->info->image)
        return TRUE;
    g_set_error(error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
                "The network of model-file gives pictures, not mattes (preset %s); such networks "
                "are for gpenenhance.",
                model->info->name);
    return FALSE;
}

/* Decodes background-location if it is not the picture that is held. */
static gboolean load_image(GstUnetMatte *self, GError **error)
{
    GST_OBJECT_LOCK(self);
    g_autofree char *location = g_strdup(self->background_location);
    const gboolean needed = self->look.background == VIDEO_BACKGROUND_IMAGE;
    GST_OBJECT_UNLOCK(self);
    if (location && !*location)
        g_clear_pointer(&location, g_free);
    if (needed && !location) {
        g_set_error(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS,
                    "background=image needs a picture: set background-location to its path.");
        return FALSE;
    }
    if (g_strcmp0(location, self->image_location) == 0)
        return TRUE;
    g_clear_pointer(&self->image, gst_sample_unref);
    g_clear_pointer(&self->image_location, g_free);
    if (!location)
        return TRUE;
    self->image = gst_cl_image_load(location, error);
    if (self->image)
        self->image_location = g_steal_pointer(&location);
    return self->image != NULL;
}

static gboolean give_image(GstUnetMatte *self, MatteBuild *build, GError **error)
{
    GstVideoInfo info;
    GstVideoFrame frame;
    if (!self->image)
        return TRUE;
    g_autoptr(OclQueue) queue =
        ocl_queue_new(build->picture.network->device, "image", FALSE, error);
    if (!queue)
        return FALSE;
    if (!gst_video_info_from_caps(&info, gst_sample_get_caps(self->image)) ||
        !gst_video_frame_map(&frame, &info, gst_sample_get_buffer(self->image), GST_MAP_READ)) {
        g_set_error(error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT,
                    "The picture '%s' cannot be read.", self->image_location);
        return FALSE;
    }
    const gboolean ok = video_compose_set_image(build->compose, queue, &frame, error) &&
                        ocl_queue_finish(queue, error);
    gst_video_frame_unmap(&frame);
    return ok;
}

static void gst_unet_matte_stop(GstClBatchFilter *filter)
{
    GstUnetMatte *self = GST_UNET_MATTE(filter);
    g_clear_pointer(&self->model, picture_model_free);
    g_clear_pointer(&self->image, gst_sample_unref);
    g_clear_pointer(&self->image_location, g_free);
}

static gboolean gst_unet_matte_start(GstClBatchFilter *filter, OclDevice *device, GError **error)
{
    GstUnetMatte *self = GST_UNET_MATTE(filter);
    self->model = load_model(self, device, error);
    if (self->model && gives_matte(self->model, error) && load_image(self, error)) {
        picture_tell_guess(filter, self->model);
        return TRUE;
    }
    gst_unet_matte_stop(filter);
    return FALSE;
}

/* ---------------------------------------------------------------- formats */

static GstCaps *gst_unet_matte_transform_caps(GstClBatchFilter *filter, GstPadDirection to,
                                              GstCaps *caps)
{
    GstUnetMatte *self = GST_UNET_MATTE(filter);
    if (to == GST_PAD_SINK)
        return gst_cl_formats_matte_input(caps);
    GST_OBJECT_LOCK(self);
    const gboolean composed = self->look.background != VIDEO_BACKGROUND_TRANSPARENT;
    GST_OBJECT_UNLOCK(self);
    return gst_cl_formats_matte_output(caps, composed);
}

static gboolean gst_unet_matte_carries_state(GstClBatchFilter *filter)
{
    GstUnetMatte *self = GST_UNET_MATTE(filter);
    GST_OBJECT_LOCK(self);
    const gboolean smooths = self->look.temporal > 0;
    GST_OBJECT_UNLOCK(self);
    return smooths || (self->model && picture_model_is_recurrent(self->model));
}

static guint gst_unet_matte_frame_limit(GstClBatchFilter *filter)
{
    GstUnetMatte *self = GST_UNET_MATTE(filter);
    return self->model && picture_model_is_recurrent(self->model) ? 1 : 0;
}

static void gst_unet_matte_release(GstClBatchFilter *filter, GstClBuild data)
{
    MatteBuild *build = data;
    g_clear_pointer(&build->compose, video_compose_free);
    picture_build_clear(&build->picture);
    g_free(build);
    g_atomic_pointer_set(&GST_UNET_MATTE(filter)->last, NULL);
}

static GstClBuild gst_unet_matte_prepare(GstClBatchFilter *filter, OclDevice *device,
                                         const GstVideoInfo *in, const GstVideoInfo *out,
                                         guint max_frames, GError **error)
{
    GstUnetMatte *self = GST_UNET_MATTE(filter);
    GST_OBJECT_LOCK(self);
    const NnPrecision precision = self->precision;
    GST_OBJECT_UNLOCK(self);
    gst_cl_batch_filter_get_tuning(filter, &self->model->tuning, &self->model->tuning_ms);
    MatteBuild *build = g_new0(MatteBuild, 1);
    if (load_image(self, error) && picture_build_init(&build->picture, self->model, device, in, out,
                                                      max_frames, precision, error))
        return build;
    gst_unet_matte_release(filter, build);
    return NULL;
}

/* ---------------------------------------------------------------- batches */

/* The foreground's place in *@place, or NULL if the network gives none. */
static const NnPlace *foreground_place(const MatteBatch *batch, NnPlace *place)
{
    const PictureNetwork *network = batch->picture.build->network;
    if (network->foreground < 0)
        return NULL;
    *place = nn_slot_output(batch->picture.slot, (guint)network->foreground);
    return place;
}

/* It serves all batches; where the network's tensors lie is known with the first one. */
static gboolean make_compose(GstUnetMatte *self, MatteBuild *build, const MatteBatch *batch,
                             GError **error)
{
    const PictureBuild *picture = &build->picture;
    const NnPlace matte = picture_batch_output(&batch->picture);
    NnPlace place;
    if (build->compose)
        return TRUE;
    build->compose = video_compose_new(picture->network->device, &picture->in, &picture->out,
                                       picture->network->model->info, picture->max_frames, &matte,
                                       foreground_place(batch, &place), error);
    return build->compose && give_image(self, build, error);
}

static void gst_unet_matte_batch_free(GstClBatchFilter *filter, GstClBatch data)
{
    MatteBatch *batch = data;
    picture_batch_clear(&batch->picture);
    g_free(batch->look);
    g_free(batch);
}

static GstClBatch gst_unet_matte_batch_new(GstClBatchFilter *filter, GstClBuild data,
                                           guint max_frames, GError **error)
{
    MatteBuild *build = data;
    MatteBatch *batch = g_new0(MatteBatch, 1);
    batch->look = g_new(VideoMatteControls, max_frames);
    for (guint i = 0; i < max_frames; i++)
        batch->look[i] = default_look;
    if (picture_batch_init(&batch->picture, &build->picture, error) &&
        make_compose(GST_UNET_MATTE(filter), build, batch, error))
        return batch;
    gst_unet_matte_batch_free(filter, batch);
    return NULL;
}

/* Neither alpha nor the matte alone. */
static gboolean is_opaque(const GstVideoInfo *info)
{
    return !GST_VIDEO_INFO_HAS_ALPHA(info) && !GST_VIDEO_INFO_IS_GRAY(info);
}

static void gst_unet_matte_snapshot(GstClBatchFilter *filter, GstClBatch data, guint index)
{
    GstUnetMatte *self = GST_UNET_MATTE(filter);
    MatteBatch *batch = data;
    VideoMatteControls *look = &batch->look[index];
    GST_OBJECT_LOCK(self);
    *look = self->look;
    GST_OBJECT_UNLOCK(self);
    /* Asked for while frames of an opaque format were still to come. */
    if (look->background == VIDEO_BACKGROUND_TRANSPARENT && is_opaque(&batch->picture.build->out))
        look->background = VIDEO_BACKGROUND_COLOR;
}

static void gst_unet_matte_snapshot_copy(GstClBatchFilter *filter, GstClBatch from, GstClBatch to,
                                         guint index)
{
    ((MatteBatch *)to)->look[index] = ((MatteBatch *)from)->look[index];
}

static gboolean gst_unet_matte_compute(GstClBatchFilter *filter, GstClBatch data, OclQueue *compute,
                                       guint n_frames, GError **error)
{
    GstUnetMatte *self = GST_UNET_MATTE(filter);
    MatteBatch *batch = data;
    PictureBatch *picture = &batch->picture;
    const MatteBuild *build = (MatteBuild *)picture->build;
    const NnPlace matte = picture_batch_output(picture);
    NnPlace place;
    NnSlot *last = g_atomic_pointer_get(&self->last);
    if (!picture_network_carry(picture->build->network, compute, last, picture->slot, error))
        return FALSE;
    if (!last)
        video_compose_begin(build->compose);
    g_atomic_pointer_set(&self->last, picture->slot);
    return picture_batch_run(picture, compute, n_frames, error) &&
           video_compose_run(build->compose, compute, picture->in, picture->out, n_frames, &matte,
                             foreground_place(batch, &place), batch->look, error);
}

static void gst_unet_matte_reset(GstClBatchFilter *filter)
{
    GST_UNET_MATTE(filter)->last = NULL;
}

/* ---------------------------------------------------------------- class */

static void gst_unet_matte_finalize(GObject *object)
{
    GstUnetMatte *self = GST_UNET_MATTE(object);
    g_free(self->model_file);
    g_free(self->background_location);
    G_OBJECT_CLASS(gst_unet_matte_parent_class)->finalize(object);
}

static void install_model_properties(GObjectClass *klass)
{
    const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS;
    g_object_class_install_property(
        klass, PROP_MODEL_FILE,
        g_param_spec_string("model-file", "Model file",
                            "Path of the matting network, an ONNX file, or its name: of one that "
                            "ships, clmatte-fast or clmatte-fine, or of one that clmatte-models "
                            "got. Unset: clmatte-fine on GPUs, clmatte-fast on CPUs. How a file "
                            "wants its pictures comes from "
                            "<model-file>.modelinfo or a preset for known networks. Read on the "
                            "way from NULL to READY",
                            NULL, flags | GST_PARAM_MUTABLE_READY));
    g_object_class_install_property(klass, PROP_PRECISION, gst_cl_precision_param_spec());
}

static void install_background_properties(GObjectClass *klass)
{
    const GParamFlags flags =
        G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;
    g_object_class_install_property(
        klass, PROP_BACKGROUND,
        g_param_spec_enum("background", "Background",
                          "What is behind the foreground. All but transparent allow output "
                          "formats without alpha",
                          GST_TYPE_UNET_MATTE_BACKGROUND, default_look.background,
                          flags | GST_PARAM_CONTROLLABLE));
    g_object_class_install_property(
        klass, PROP_BACKGROUND_COLOR,
        g_param_spec_uint("background-color", "Background colour",
                          "Colour for background=color, 0xAARRGGBB in sRGB", 0, G_MAXUINT32,
                          default_look.background_color, flags | GST_PARAM_CONTROLLABLE));
    g_object_class_install_property(
        klass, PROP_BACKGROUND_LOCATION,
        g_param_spec_string("background-location", "Background location",
                            "Path of the picture for background=image, any format that GStreamer "
                            "decodes; it is scaled to cover the frame",
                            NULL, flags));
    g_object_class_install_property(
        klass, PROP_BLUR_RADIUS,
        g_param_spec_float("blur-radius", "Blur radius",
                           "Radius for background=blur, as a share of the picture's height", 0, 1,
                           default_look.blur_radius, flags | GST_PARAM_CONTROLLABLE));
}

static void install_edge_properties(GObjectClass *klass)
{
    const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS |
                              GST_PARAM_MUTABLE_PLAYING | GST_PARAM_CONTROLLABLE;
    g_object_class_install_property(
        klass, PROP_ALPHA_LOW,
        g_param_spec_float("alpha-low", "Alpha low",
                           "Alpha at or below this becomes 0, and what is above is stretched", 0, 1,
                           default_look.alpha_low, flags));
    g_object_class_install_property(
        klass, PROP_ALPHA_HIGH,
        g_param_spec_float("alpha-high", "Alpha high",
                           "Alpha at or above this becomes 1, and what is below is stretched", 0, 1,
                           default_look.alpha_high, flags));
    g_object_class_install_property(
        klass, PROP_GAMMA,
        g_param_spec_float(
            "gamma", "Gamma",
            "Gamma of alpha: above 1 makes half-transparent edges more opaque, below "
            "1 more transparent",
            0.1f, MAX_GAMMA, default_look.gamma, flags));
    g_object_class_install_property(
        klass, PROP_FEATHER,
        g_param_spec_int("feather", "Feather",
                         "Softens the edge by this many pixels; negative: only inwards",
                         -MAX_EDGE_PX, MAX_EDGE_PX, default_look.feather, flags));
    g_object_class_install_property(
        klass, PROP_ERODE,
        g_param_spec_int("erode", "Erode",
                         "Shrinks the foreground by this many pixels; negative: grows it",
                         -MAX_EDGE_PX, MAX_EDGE_PX, default_look.erode, flags));
    g_object_class_install_property(
        klass, PROP_REFINE,
        g_param_spec_enum("refine", "Refine",
                          "How edges of the matte are brought to the size of the picture",
                          GST_TYPE_UNET_MATTE_REFINE, default_look.refine, flags));
    g_object_class_install_property(
        klass, PROP_FOREGROUND,
        g_param_spec_enum("foreground", "Foreground",
                          "Colours of the foreground; networks that give colours of their own "
                          "come first",
                          GST_TYPE_UNET_MATTE_FOREGROUND, default_look.foreground, flags));
    g_object_class_install_property(
        klass, PROP_TEMPORAL,
        g_param_spec_float("temporal", "Temporal",
                           "Share of the matte before that stays where the picture stands still, "
                           "against flicker; above 0 the batches are not spread over devices",
                           0, 1, default_look.temporal,
                           G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY));
}

static void gst_unet_matte_class_init(GstUnetMatteClass *klass)
{
    GObjectClass *object_class = G_OBJECT_CLASS(klass);
    GstElementClass *element_class = GST_ELEMENT_CLASS(klass);
    GstClBatchFilterClass *filter_class = GST_CL_BATCH_FILTER_CLASS(klass);

    object_class->set_property = gst_unet_matte_set_property;
    object_class->get_property = gst_unet_matte_get_property;
    object_class->finalize = gst_unet_matte_finalize;
    install_model_properties(object_class);
    install_background_properties(object_class);
    install_edge_properties(object_class);
    gst_type_mark_as_plugin_api(GST_TYPE_UNET_MATTE_BACKGROUND, 0);
    gst_type_mark_as_plugin_api(GST_TYPE_UNET_MATTE_REFINE, 0);
    gst_type_mark_as_plugin_api(GST_TYPE_UNET_MATTE_FOREGROUND, 0);

    gst_element_class_add_static_pad_template(element_class, &sink_template);
    gst_element_class_add_static_pad_template(element_class, &src_template);
    gst_element_class_set_static_metadata(
        element_class, "Background matting", "Filter/Effect/Video",
        "Cuts out people or objects with a matting network (ONNX) on an OpenCL device: straight "
        "alpha, another background, or the matte alone",
        "the gst-clmatte developers");

    filter_class->start = gst_unet_matte_start;
    filter_class->stop = gst_unet_matte_stop;
    filter_class->transform_caps = gst_unet_matte_transform_caps;
    filter_class->frame_limit = gst_unet_matte_frame_limit;
    filter_class->prepare = gst_unet_matte_prepare;
    filter_class->release = gst_unet_matte_release;
    filter_class->batch_new = gst_unet_matte_batch_new;
    filter_class->batch_free = gst_unet_matte_batch_free;
    filter_class->carries_state = gst_unet_matte_carries_state;
    filter_class->snapshot = gst_unet_matte_snapshot;
    filter_class->snapshot_copy = gst_unet_matte_snapshot_copy;
    filter_class->upload = picture_upload;
    filter_class->compute = gst_unet_matte_compute;
    filter_class->download = picture_download;
    filter_class->reset = gst_unet_matte_reset;
}

static void gst_unet_matte_init(GstUnetMatte *self)
{
    self->precision = NN_PRECISION_AUTO;
    self->look = default_look;
}
