/* gstclformats.c - which video formats come out for which that go in, best first.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "gstclformats.h"

/* What formats of a family are turned into, best first. Kin keep the input's colorimetry; the
 * others have their own. */
typedef struct {
    const char *alpha_kin, *alpha_others;
    const char *opaque_kin, *opaque_others;
} Family;

#define RGB_ALPHA "RGBA,BGRA,ARGB,ABGR"
#define RGB_OPAQUE "RGBx,RGB,BGRx,BGR"
#define YUV_ALPHA "A420,AYUV"
#define YUV_OPAQUE "I420,NV12"

static const Family family_rgb = { RGB_ALPHA, YUV_ALPHA, RGB_OPAQUE, YUV_OPAQUE };
static const Family family_bgr = { "BGRA,RGBA,ABGR,ARGB", YUV_ALPHA, "BGRx,BGR,RGBx,RGB",
                                   YUV_OPAQUE };
static const Family family_420 = { YUV_ALPHA, RGB_ALPHA, YUV_OPAQUE, RGB_OPAQUE };
/* With the chroma of every pixel, or of every second. */
static const Family family_444 = { "AYUV,A420", RGB_ALPHA, YUV_OPAQUE, RGB_OPAQUE };

static const Family *family_of(const GstVideoFormatInfo *info)
{
    if (GST_VIDEO_FORMAT_INFO_IS_RGB(info))
        return GST_VIDEO_FORMAT_INFO_POFFSET(info, GST_VIDEO_COMP_R) <
                       GST_VIDEO_FORMAT_INFO_POFFSET(info, GST_VIDEO_COMP_B)
                   ? &family_rgb
                   : &family_bgr;
    return GST_VIDEO_FORMAT_INFO_H_SUB(info, 1) ? &family_420 : &family_444;
}

static void set_formats(GstStructure *structure, const char *names)
{
    GValue list = G_VALUE_INIT, item = G_VALUE_INIT;
    g_auto(GStrv) words = g_strsplit(names, ",", 0);
    gst_value_list_init(&list, g_strv_length(words));
    g_value_init(&item, G_TYPE_STRING);
    for (guint i = 0; words[i]; i++) {
        g_value_set_string(&item, g_strstrip(words[i]));
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
    const GstVideoFormat in = gst_video_format_from_string(format);
    if (in == GST_VIDEO_FORMAT_UNKNOWN)
        return;
    const Family *family = family_of(gst_video_format_get_info(in));
    if (composed) {
        append(caps, structure, format, TRUE);
        append(caps, structure, family->opaque_kin, TRUE);
        append(caps, structure, family->opaque_others, FALSE);
    }
    append(caps, structure, family->alpha_kin, TRUE);
    append(caps, structure, family->alpha_others, FALSE);
    /* Downstream may insist on other colours than the input's: they are converted. */
    if (composed)
        append(caps, structure, family->opaque_kin, FALSE);
    append(caps, structure, family->alpha_kin, FALSE);
    append(caps, structure, "GRAY8", FALSE);
}

/* For each format that @structure leaves possible, in order. */
static void append_all_outputs(GstCaps *caps, const GstStructure *structure, gboolean composed)
{
    const GValue *formats = gst_structure_get_value(structure, "format");
    if (formats && G_VALUE_HOLDS_STRING(formats)) {
        append_outputs(caps, structure, g_value_get_string(formats), composed);
    } else if (formats && GST_VALUE_HOLDS_LIST(formats)) {
        for (guint i = 0; i < gst_value_list_get_size(formats); i++)
            append_outputs(caps, structure,
                           g_value_get_string(gst_value_list_get_value(formats, i)), composed);
    } else {
        g_auto(GStrv) names = g_strsplit(GST_CL_INPUT_FORMATS, ", ", 0);
        for (guint i = 0; names[i]; i++)
            append_outputs(caps, structure, names[i], composed);
    }
}

GstCaps *gst_cl_formats_matte_output(GstCaps *caps, gboolean composed)
{
    if (gst_caps_is_any(caps))
        return gst_caps_ref(caps);
    GstCaps *out = gst_caps_new_empty();
    for (guint i = 0; i < gst_caps_get_size(caps); i++)
        append_all_outputs(out, gst_caps_get_structure(caps, i), composed);
    return out;
}

GstCaps *gst_cl_formats_matte_input(GstCaps *caps)
{
    if (gst_caps_is_any(caps))
        return gst_caps_ref(caps);
    GstCaps *in = gst_caps_new_empty();
    for (guint i = 0; i < gst_caps_get_size(caps); i++)
        append(in, gst_caps_get_structure(caps, i), GST_CL_INPUT_FORMATS, FALSE);
    return in;
}
