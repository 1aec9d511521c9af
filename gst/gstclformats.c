/* gstclformats.c - which video formats come out for which that go in, best first.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "gstclformats.h"

/* What an input format is turned into, best first. The first group keeps the input's colorimetry;
 * the second is another family, whose colorimetry is its own. */
typedef struct {
    GstVideoFormat in;
    const char *alpha_kin, *alpha_others;
    const char *opaque_kin, *opaque_others;
} Preference;

#define RGB_ALPHA "RGBA,BGRA,ARGB,ABGR"
#define BGR_ALPHA "BGRA,RGBA,ABGR,ARGB"
#define RGB_OPAQUE "RGB,RGBx,BGRx,BGR"
#define BGR_OPAQUE "BGRx,BGR,RGBx,RGB"

static const Preference preferences[] = {
    { GST_VIDEO_FORMAT_RGBA, RGB_ALPHA, "AYUV,A420", "RGBA,RGBx,RGB,BGRx,BGR", "I420,NV12" },
    { GST_VIDEO_FORMAT_BGRA, BGR_ALPHA, "AYUV,A420", "BGRA,BGRx,BGR,RGBx,RGB", "I420,NV12" },
    { GST_VIDEO_FORMAT_RGBx, RGB_ALPHA, "AYUV,A420", "RGBx,RGB,BGRx,BGR", "I420,NV12" },
    { GST_VIDEO_FORMAT_BGRx, BGR_ALPHA, "AYUV,A420", BGR_OPAQUE, "I420,NV12" },
    { GST_VIDEO_FORMAT_RGB, RGB_ALPHA, "AYUV,A420", RGB_OPAQUE, "I420,NV12" },
    { GST_VIDEO_FORMAT_BGR, BGR_ALPHA, "AYUV,A420", "BGR,BGRx,RGB,RGBx", "I420,NV12" },
    { GST_VIDEO_FORMAT_I420, "A420,AYUV", RGB_ALPHA, "I420,NV12", RGB_OPAQUE },
    { GST_VIDEO_FORMAT_NV12, "A420,AYUV", RGB_ALPHA, "NV12,I420", RGB_OPAQUE },
};

static const Preference *preference_of(const char *name)
{
    const GstVideoFormat format = gst_video_format_from_string(name);
    for (guint i = 0; i < G_N_ELEMENTS(preferences); i++)
        if (preferences[i].in == format)
            return &preferences[i];
    return NULL;
}

static void set_formats(GstStructure *structure, const char *names)
{
    GValue list = G_VALUE_INIT, item = G_VALUE_INIT;
    g_auto(GStrv) words = g_strsplit(names, ",", 0);
    gst_value_list_init(&list, g_strv_length(words));
    g_value_init(&item, G_TYPE_STRING);
    for (guint i = 0; words[i]; i++) {
        g_value_set_string(&item, words[i]);
        gst_value_list_append_value(&list, &item);
    }
    g_value_unset(&item);
    gst_structure_take_value(structure, "format", &list);
}

/* @structure with other formats, appended to @caps. */
static void append(GstCaps *caps, const GstStructure *structure, const char *names,
                   gboolean keep_colorimetry)
{
    GstStructure *copy = gst_structure_copy(structure);
    set_formats(copy, names);
    if (!keep_colorimetry)
        gst_structure_remove_fields(copy, "colorimetry", "chroma-site", NULL);
    gst_caps_append_structure(caps, copy);
}

static void append_outputs(GstCaps *caps, const GstStructure *structure, const char *format,
                           gboolean composed)
{
    const Preference *preference = preference_of(format);
    if (!preference)
        return;
    if (composed) {
        append(caps, structure, preference->opaque_kin, TRUE);
        append(caps, structure, preference->opaque_others, FALSE);
    }
    append(caps, structure, preference->alpha_kin, TRUE);
    append(caps, structure, preference->alpha_others, FALSE);
    /* Downstream may insist on other colours than the input's: they are converted. */
    if (composed)
        append(caps, structure, preference->opaque_kin, FALSE);
    append(caps, structure, preference->alpha_kin, FALSE);
    append(caps, structure, "GRAY8", FALSE);
}

/* Calls @append_for for each format of @structure, in order. */
static void for_each_format(GstCaps *caps, const GstStructure *structure, gboolean composed)
{
    const GValue *formats = gst_structure_get_value(structure, "format");
    if (formats && G_VALUE_HOLDS_STRING(formats)) {
        append_outputs(caps, structure, g_value_get_string(formats), composed);
    } else if (formats && GST_VALUE_HOLDS_LIST(formats)) {
        for (guint i = 0; i < gst_value_list_get_size(formats); i++)
            append_outputs(caps, structure,
                           g_value_get_string(gst_value_list_get_value(formats, i)), composed);
    } else {
        for (guint i = 0; i < G_N_ELEMENTS(preferences); i++)
            append_outputs(caps, structure, gst_video_format_to_string(preferences[i].in),
                           composed);
    }
}

GstCaps *gst_cl_formats_matte_output(GstCaps *caps, gboolean composed)
{
    if (gst_caps_is_any(caps))
        return gst_caps_ref(caps);
    GstCaps *out = gst_caps_new_empty();
    for (guint i = 0; i < gst_caps_get_size(caps); i++)
        for_each_format(out, gst_caps_get_structure(caps, i), composed);
    return gst_caps_simplify(out);
}

GstCaps *gst_cl_formats_matte_input(GstCaps *caps)
{
    if (gst_caps_is_any(caps))
        return gst_caps_ref(caps);
    GstCaps *in = gst_caps_new_empty();
    for (guint i = 0; i < gst_caps_get_size(caps); i++)
        append(in, gst_caps_get_structure(caps, i), "RGBA,BGRA,RGBx,BGRx,RGB,BGR,I420,NV12", FALSE);
    return gst_caps_simplify(in);
}
