/* facestage.c - frames with faces for the enhancement element, and what came of them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "facestage.h"

Stage *faces_new(const char *restorer, const char *detector, const char *properties)
{
    GstElement *element = g_object_new(
        GST_TYPE_GPEN_ENHANCE, "device", "0:0", "model-file", restorer, "detector-file", detector,
        "detector-size", FACES_WIDTH, "similarity", -1.0f, "color-match", FALSE, NULL);
    g_auto(GStrv) settings = g_strsplit(properties, " ", -1);
    for (guint i = 0; settings[i]; i++) {
        g_auto(GStrv) setting = g_strsplit(settings[i], "=", 2);
        gst_util_set_object_arg(G_OBJECT(element), setting[0], setting[1]);
    }
    Stage *stage = stage_new_with(element);
    stage_set_caps(stage, FACES_CAPS);
    return stage;
}

GstBuffer *faces_frame(guint number)
{
    guint8 *pixels = g_malloc(FACES_B);
    for (guint i = 0; i < FACES_B; i++)
        pixels[i] = (guint8)(60 + i / 3 * 7 % 64);
    GstBuffer *buffer = gst_buffer_new_wrapped(pixels, FACES_B);
    GST_BUFFER_PTS(buffer) = number * FRAME_NS;
    GST_BUFFER_DURATION(buffer) = FRAME_NS;
    return buffer;
}

void faces_add(GstBuffer *buffer, guint column, guint row, float score)
{
    const guint8 red[3] = { (guint8)(255 * score + 0.5f), 0, 0 };
    for (guint i = 0; i < 64; i++)
        gst_buffer_fill(buffer, ((8 * row + i / 8) * FACES_WIDTH + 8 * column + i % 8) * 3, red, 3);
}

void faces_push(Stage *stage, GstBuffer *buffer)
{
    g_assert_cmpint(gst_harness_push(stage->harness, buffer), ==, GST_FLOW_OK);
}

void faces_read(GstBuffer *buffer, guint8 *pixels)
{
    g_assert_cmpuint(gst_buffer_extract(buffer, 0, pixels, FACES_B), ==, FACES_B);
}

guint8 *faces_pixels(GstBuffer *buffer)
{
    guint8 *pixels = g_malloc(FACES_B);
    faces_read(buffer, pixels);
    return pixels;
}

guint8 *faces_through(Stage *stage, GstBuffer *buffer)
{
    faces_push(stage, buffer);
    g_autoptr(GstBuffer) result = gst_harness_pull(stage->harness);
    return faces_pixels(result);
}

gboolean faces_within(guint x, guint y, guint column, guint row)
{
    const int left = 8 * (int)column - 12, top = 8 * (int)row - 12;
    return (int)x > left && (int)x < left + TINYNET_FACE - 1 && (int)y > top &&
           (int)y < top + TINYNET_FACE - 1;
}

void faces_assert_white(const guint8 *before, const guint8 *after, guint column, guint row)
{
    for (guint y = 0; y < FACES_HEIGHT; y++)
        for (guint x = 0; x < FACES_WIDTH; x++)
            for (guint c = 0; c < 3; c++) {
                const guint i = (y * FACES_WIDTH + x) * 3 + c;
                const gboolean middle =
                    ABS((int)x - 8 * (int)column - 4) < 8 && ABS((int)y - 8 * (int)row - 4) < 8;
                if (middle)
                    g_assert_cmpuint(after[i], ==, 255);
                else if (!faces_within(x, y, column, row))
                    g_assert_cmpuint(after[i], ==, before[i]);
            }
}

guint faces_n_different(const guint8 *a, const guint8 *b)
{
    guint n = 0;
    for (guint i = 0; i < FACES_B; i++)
        n += a[i] != b[i];
    return n;
}

GstVideoRegionOfInterestMeta *faces_meta(GstBuffer *buffer)
{
    gpointer state = NULL;
    return (GstVideoRegionOfInterestMeta *)gst_buffer_iterate_meta_filtered(
        buffer, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE);
}

double faces_meta_number(GstVideoRegionOfInterestMeta *meta, const char *name)
{
    double number = 0;
    const GstStructure *structure = gst_video_region_of_interest_meta_get_param(meta, "face");
    g_assert_nonnull(structure);
    g_assert_true(gst_structure_get_double(structure, name, &number));
    return number;
}
