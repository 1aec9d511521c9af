/* gstgpenproperties.c - the properties of the portrait enhancement element as plain values.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "gstgpenproperties.h"

#include "gstclenums.h"

enum {
    PROP_0,
    PROP_MODEL_FILE,
    PROP_PRECISION,
    PROP_FACES,
    PROP_BLEND,
    PROP_DETECTOR_FILE,
    PROP_DETECTOR_SIZE,
    PROP_DETECTOR_SCORE,
    PROP_DETECT_INTERVAL,
    PROP_FACE_BATCH_SIZE,
    PROP_MIN_FACE_SIZE,
    PROP_MAX_FACES,
    PROP_SELECTOR,
    PROP_TEMPLATE,
    PROP_MASK_FILE,
    PROP_MASK_BLUR,
    PROP_COLOR_MATCH,
    PROP_SIMILARITY,
    PROP_ATTACH_META,
    PROP_BACKGROUND_FILE,
    PROP_TILE_SIZE,
    PROP_TILE_OVERLAP,
    LAST_PROP = PROP_TILE_OVERLAP,
};

#define DEFAULT_BLEND 1.0f
#define DEFAULT_DETECTOR_SIZE 640
#define DEFAULT_DETECTOR_SCORE 0.5f
#define DEFAULT_MIN_FACE_SIZE 16
#define DEFAULT_MAX_FACES 64
#define DEFAULT_MASK_BLUR 0.1f
#define DEFAULT_SIMILARITY 0.5f
#define DEFAULT_TILE_SIZE 256
#define DEFAULT_TILE_OVERLAP 32

/* An enumeration as GObject knows it, made when first asked for. */
#define DEFINE_ENUM(function, type_name, ...)                                                      \
    static GType function(void)                                                                    \
    {                                                                                              \
        static gsize type;                                                                         \
        static const GEnumValue values[] = { __VA_ARGS__, { 0, NULL, NULL } };                     \
        if (g_once_init_enter(&type)) {                                                            \
            const GType made = g_enum_register_static(type_name, values);                          \
            gst_type_mark_as_plugin_api(made, 0);                                                  \
            g_once_init_leave(&type, made);                                                        \
        }                                                                                          \
        return type;                                                                               \
    }

DEFINE_ENUM(faces_get_type, "GstGpenEnhanceFaces",
            { GPEN_FACES_DETECT, "The faces that the detector finds", "detect" },
            { GPEN_FACES_META, "The faces that regions of interest of type face name", "meta" },
            { GPEN_FACES_ALIGNED, "The frame is an aligned face crop and fills the network's input",
              "aligned" },
            { GPEN_FACES_WHOLE, "The whole frame: at its own scale if the network takes any size",
              "whole" })
DEFINE_ENUM(selector_get_type, "GstGpenEnhanceSelector",
            { VIDEO_SELECT_ALL, "All, the larger first", "all" },
            { VIDEO_SELECT_LARGEST, "The largest", "largest" },
            { VIDEO_SELECT_CENTER, "The one nearest the middle of the frame", "center" })
DEFINE_ENUM(template_get_type, "GstGpenEnhanceTemplate",
            { GPEN_TEMPLATE_AUTO, "As the network's description says, else gpen", "auto" },
            { VIDEO_TEMPLATE_GPEN, "As GPEN's own program aligns faces", "gpen" },
            { VIDEO_TEMPLATE_FFHQ, "As FFHQ's pictures are aligned: tighter", "ffhq" },
            { VIDEO_TEMPLATE_ARCFACE, "ArcFace's points in 128 x 128", "arcface" })

/* ---------------------------------------------------------------- values */

/* Where the value of a property is, for those that are a plain number; NULL for the others. */
static gpointer field_of(GpenProperties *properties, guint id)
{
    FaceControls *controls = &properties->controls;
    switch (id) {
    case PROP_PRECISION:
        return &properties->precision;
    case PROP_FACES:
        return &properties->faces;
    case PROP_BLEND:
        return &controls->blend;
    case PROP_DETECTOR_SIZE:
        return &properties->detector_side;
    case PROP_DETECTOR_SCORE:
        return &controls->score;
    case PROP_DETECT_INTERVAL:
        return &properties->detect_interval;
    case PROP_FACE_BATCH_SIZE:
        return &properties->max_samples;
    case PROP_MIN_FACE_SIZE:
        return &controls->min_size;
    case PROP_MAX_FACES:
        return &controls->max_faces;
    case PROP_SELECTOR:
        return &controls->selector;
    case PROP_TEMPLATE:
        return &properties->template;
    case PROP_MASK_BLUR:
        return &controls->style.blur;
    case PROP_COLOR_MATCH:
        return &controls->style.match;
    case PROP_SIMILARITY:
        return &controls->style.least_similarity;
    case PROP_ATTACH_META:
        return &controls->attach_meta;
    case PROP_TILE_SIZE:
        return &properties->tile_side;
    case PROP_TILE_OVERLAP:
        return &properties->tile_overlap;
    default:
        return NULL;
    }
}

static char **text_of(GpenProperties *properties, guint id)
{
    switch (id) {
    case PROP_MODEL_FILE:
        return &properties->model_file;
    case PROP_DETECTOR_FILE:
        return &properties->detector_file;
    case PROP_MASK_FILE:
        return &properties->mask_file;
    case PROP_BACKGROUND_FILE:
        return &properties->background_file;
    default:
        return NULL;
    }
}

void gpen_properties_copy(const GpenProperties *from, GpenProperties *to)
{
    *to = *from;
    for (guint id = PROP_0 + 1; id <= LAST_PROP; id++) {
        char **text = text_of(to, id);
        if (text)
            *text = g_strdup(*text);
    }
}

void gpen_properties_clear(GpenProperties *properties)
{
    for (guint id = PROP_0 + 1; id <= LAST_PROP; id++) {
        char **text = text_of(properties, id);
        if (text)
            g_clear_pointer(text, g_free);
    }
}

gboolean gpen_properties_set(GpenProperties *properties, guint id, const GValue *value)
{
    gpointer field = field_of(properties, id);
    char **text = text_of(properties, id);
    if (text) {
        g_free(*text);
        *text = g_value_dup_string(value);
    } else if (G_VALUE_HOLDS_ENUM(value)) {
        *(int *)field = g_value_get_enum(value);
    } else if (G_VALUE_HOLDS_FLOAT(value)) {
        *(float *)field = g_value_get_float(value);
    } else if (G_VALUE_HOLDS_BOOLEAN(value)) {
        *(gboolean *)field = g_value_get_boolean(value);
    } else {
        *(guint *)field = g_value_get_uint(value);
    }
    return id == PROP_PRECISION || id == PROP_FACES || id == PROP_DETECTOR_SIZE ||
           id == PROP_FACE_BATCH_SIZE || id == PROP_TILE_SIZE || id == PROP_TILE_OVERLAP;
}

void gpen_properties_get(const GpenProperties *properties, guint id, GValue *value)
{
    gconstpointer field = field_of((GpenProperties *)properties, id);
    char **text = text_of((GpenProperties *)properties, id);
    if (text)
        g_value_set_string(value, *text);
    else if (G_VALUE_HOLDS_ENUM(value))
        g_value_set_enum(value, *(const int *)field);
    else if (G_VALUE_HOLDS_FLOAT(value))
        g_value_set_float(value, *(const float *)field);
    else if (G_VALUE_HOLDS_BOOLEAN(value))
        g_value_set_boolean(value, *(const gboolean *)field);
    else
        g_value_set_uint(value, *(const guint *)field);
}

/* ---------------------------------------------------------------- installing */

#define ANY_TIME (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING)
#define PER_FRAME (ANY_TIME | GST_PARAM_CONTROLLABLE)
#define BEFORE (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY)

static void install_networks(GObjectClass *klass)
{
    g_object_class_install_property(
        klass, PROP_MODEL_FILE,
        g_param_spec_string("model-file", "Model file",
                            "Path of the image-to-image network, an ONNX file, or its name: of the "
                            "one that ships, clmatte-restore, or of one that clmatte-models got. "
                            "Unset: clmatte-restore, unless background-file is set. How a file "
                            "wants its pictures comes from <model-file>.modelinfo or a preset for "
                            "known networks. Read on the way from NULL to READY",
                            NULL, BEFORE));
    g_object_class_install_property(klass, PROP_PRECISION, gst_cl_precision_param_spec());
    g_object_class_install_property(
        klass, PROP_DETECTOR_FILE,
        g_param_spec_string("detector-file", "Detector file",
                            "Path of the face detector, an ONNX file of the form of YuNet (2023), "
                            "SCRFD or RetinaFace, with landmarks, or the name of one that "
                            "clmatte-models got. Unset: the one that ships. Read on the way from "
                            "NULL to READY",
                            NULL, BEFORE));
    g_object_class_install_property(
        klass, PROP_MASK_FILE,
        g_param_spec_string("mask-file", "Mask file",
                            "Path of a network that tells the parts of a face apart, an ONNX file "
                            "such as ParseNet (19 classes): background, hat and clothes are not "
                            "pasted. Unset: the whole face in a rounded square. Read on the way "
                            "from NULL to READY",
                            NULL, BEFORE));
    g_object_class_install_property(
        klass, PROP_DETECTOR_SIZE,
        g_param_spec_uint("detector-size", "Detector size",
                          "The longer side of the picture that the detector gets, in pixels, if it "
                          "takes any size; more finds smaller faces: the one that ships those from "
                          "about 20 pixels there on. Smaller frames are enlarged, twice at most. "
                          "Above 320 it looks a second time, at 320, for large faces",
                          32, 4096, DEFAULT_DETECTOR_SIZE, ANY_TIME));
    g_object_class_install_property(
        klass, PROP_FACE_BATCH_SIZE,
        g_param_spec_uint("face-batch-size", "Face batch size",
                          "Most faces, of all frames of a batch, that go through the network at "
                          "once; each takes device memory (0 = automatic: 8 on GPUs, 1 on CPUs)",
                          0, 64, 0, ANY_TIME));
}

static void install_background(GObjectClass *klass)
{
    g_object_class_install_property(
        klass, PROP_BACKGROUND_FILE,
        g_param_spec_string(
            "background-file", "Background file",
            "Path of a network for whole frames, an ONNX file such as Real-ESRGAN, or the name of "
            "one that clmatte-models got; the output is as many times as large as it makes "
            "pictures (1 to 4), and restored faces are pasted there. With faces=detect or meta; "
            "without a model-file frames are enlarged and nothing else. Read on the way from NULL "
            "to READY",
            NULL, BEFORE));
    g_object_class_install_property(
        klass, PROP_TILE_SIZE,
        g_param_spec_uint("tile-size", "Tile size",
                          "Longest side of the pieces that background-file is given, in pixels, if "
                          "it takes any size, and model-file with faces=whole where memory is "
                          "short; smaller ones need less memory and more work",
                          16, 4096, DEFAULT_TILE_SIZE, ANY_TIME));
    g_object_class_install_property(
        klass, PROP_TILE_OVERLAP,
        g_param_spec_uint(
            "tile-overlap", "Tile overlap",
            "Pixels that neighbouring pieces share, at most a quarter of one: half of "
            "them are thrown away, over the other half one fades into the other",
            0, 1024, DEFAULT_TILE_OVERLAP, ANY_TIME));
}

static void install_choice(GObjectClass *klass)
{
    g_object_class_install_property(
        klass, PROP_FACES,
        g_param_spec_enum("faces", "Faces", "What of the frame goes through the network",
                          faces_get_type(), GPEN_FACES_DETECT, ANY_TIME));
    g_object_class_install_property(
        klass, PROP_DETECTOR_SCORE,
        g_param_spec_float("detector-score", "Detector score",
                           "The least score of a face that is restored; one that is followed "
                           "already needs half of it",
                           0, 1, DEFAULT_DETECTOR_SCORE, PER_FRAME));
    g_object_class_install_property(
        klass, PROP_DETECT_INTERVAL,
        g_param_spec_uint(
            "detect-interval", "Detect interval",
            "Look for faces in every so many frames; between them faces go on as they "
            "went",
            1, 250, 1, ANY_TIME));
    g_object_class_install_property(
        klass, PROP_MIN_FACE_SIZE,
        g_param_spec_uint("min-face-size", "Least face size",
                          "Faces whose shorter side is below this many pixels are left alone", 0,
                          G_MAXINT16, DEFAULT_MIN_FACE_SIZE, PER_FRAME));
    g_object_class_install_property(klass, PROP_MAX_FACES,
                                    g_param_spec_uint("max-faces", "Most faces",
                                                      "Most faces of a frame that are restored, "
                                                      "the larger first",
                                                      1, 1024, DEFAULT_MAX_FACES, PER_FRAME));
    g_object_class_install_property(
        klass, PROP_SELECTOR,
        g_param_spec_enum("selector", "Selector", "Which faces of a frame are restored",
                          selector_get_type(), VIDEO_SELECT_ALL, PER_FRAME));
    g_object_class_install_property(
        klass, PROP_SIMILARITY,
        g_param_spec_float(
            "similarity", "Least similarity",
            "A restored face that is less similar to the one before, seen from afar, "
            "fades, and is left out where it is less by 0.1. -1 accepts any, 1 is the same",
            -1, 1, DEFAULT_SIMILARITY, PER_FRAME));
}

static void install_looks(GObjectClass *klass)
{
    g_object_class_install_property(
        klass, PROP_BLEND,
        g_param_spec_float("blend", "Blend",
                           "Share of the network's picture in the result: 0 is the frame itself, "
                           "1 the network's. Of faces alone where model-file and background-file "
                           "are set",
                           0, 1, DEFAULT_BLEND, PER_FRAME));
    g_object_class_install_property(
        klass, PROP_TEMPLATE,
        g_param_spec_enum("template", "Template", "Where the network wants eyes, nose and mouth",
                          template_get_type(), GPEN_TEMPLATE_AUTO, PER_FRAME));
    g_object_class_install_property(
        klass, PROP_MASK_BLUR,
        g_param_spec_float("mask-blur", "Mask blur",
                           "Width of the soft edge around a restored face, as a share of the "
                           "network's picture",
                           0, 0.5, DEFAULT_MASK_BLUR, PER_FRAME));
    g_object_class_install_property(
        klass, PROP_COLOR_MATCH,
        g_param_spec_boolean("color-match", "Match colours",
                             "Give a restored face the colours of the one before", TRUE,
                             PER_FRAME));
    g_object_class_install_property(
        klass, PROP_ATTACH_META,
        g_param_spec_boolean("attach-meta", "Attach metas",
                             "Attach a GstVideoRegionOfInterestMeta of type face for each face "
                             "that is found and chosen: box, landmarks, track number, score, "
                             "similarity",
                             FALSE, PER_FRAME));
}

void gpen_properties_install(GObjectClass *klass)
{
    install_networks(klass);
    install_background(klass);
    install_choice(klass);
    install_looks(klass);
}

void gpen_properties_init(GpenProperties *properties)
{
    *properties = (GpenProperties){
        .precision = NN_PRECISION_AUTO,
        .faces = GPEN_FACES_DETECT,
        .detector_side = DEFAULT_DETECTOR_SIZE,
        .detect_interval = 1,
        .tile_side = DEFAULT_TILE_SIZE,
        .tile_overlap = DEFAULT_TILE_OVERLAP,
        .template = GPEN_TEMPLATE_AUTO,
        .controls = { .blend = DEFAULT_BLEND,
                      .score = DEFAULT_DETECTOR_SCORE,
                      .min_size = DEFAULT_MIN_FACE_SIZE,
                      .max_faces = DEFAULT_MAX_FACES,
                      .selector = VIDEO_SELECT_ALL,
                      .style = { .blur = DEFAULT_MASK_BLUR,
                                 .match = TRUE,
                                 .least_similarity = DEFAULT_SIMILARITY } },
    };
}
