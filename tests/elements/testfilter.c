/* testfilter.c - the smallest filter on the base class: frames go to the device and come back.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "testfilter.h"

#include <string.h>
#include <video.h>

enum {
    PROP_0,
    PROP_LEVEL,
};

#define SCRATCH_B 64
#define MARK 0x5a

typedef struct {
    OclDevice *device;
    GstVideoInfo info;
} TestBuild;

typedef struct {
    VideoFrames *frames;
    cl_mem scratch;
    guint8 read_back[SCRATCH_B];
    guint *levels; /* [max_frames] */
} TestBatch;

static gint n_batches;

#define CAPS GST_VIDEO_CAPS_MAKE("{ GRAY8, RGBA, NV12 }")
static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(CAPS));
static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(CAPS));

G_DEFINE_TYPE(TestFilter, test_filter, GST_TYPE_CL_BATCH_FILTER)

gboolean test_filter_is_balanced(void)
{
    return g_atomic_int_get(&n_batches) == 0;
}

static gboolean start(GstClBatchFilter *filter, OclDevice *device, GError **error)
{
    TEST_FILTER(filter)->n_started++;
    return TRUE;
}

static void stop(GstClBatchFilter *filter)
{
    TEST_FILTER(filter)->n_started--;
}

static GstCaps *transform_caps(GstClBatchFilter *filter, GstPadDirection to, GstCaps *caps)
{
    return gst_caps_ref(caps);
}

static guint frame_limit(GstClBatchFilter *filter)
{
    return TEST_FILTER(filter)->frame_limit;
}

static gboolean carries_state(GstClBatchFilter *filter)
{
    return TEST_FILTER(filter)->carries_state;
}

static GstClBuild prepare(GstClBatchFilter *filter, OclDevice *device, const GstVideoInfo *in,
                          const GstVideoInfo *out, guint max_frames, GError **error)
{
    TestFilter *self = TEST_FILTER(filter);
    g_assert_cmpint(self->n_prepared - self->n_released, <, self->n_devices);
    self->n_prepared++;
    gst_cl_batch_filter_get_tuning(filter, &self->tuning, &self->tuning_ms);
    TestBuild *build = g_new0(TestBuild, 1);
    build->device = device;
    build->info = *in;
    return build;
}

static void release(GstClBatchFilter *filter, GstClBuild build)
{
    TEST_FILTER(filter)->n_released++;
    g_free(build);
}

static void batch_free(GstClBatchFilter *filter, GstClBatch data)
{
    TestBatch *batch = data;
    g_clear_pointer(&batch->frames, video_frames_free);
    ocl_buffer_clear(&batch->scratch);
    g_free(batch->levels);
    g_free(batch);
    g_atomic_int_add(&n_batches, -1);
}

static GstClBatch batch_new(GstClBatchFilter *filter, GstClBuild data, guint max_frames,
                            GError **error)
{
    const TestBuild *build = data;
    TestBatch *batch = g_new0(TestBatch, 1);
    g_atomic_int_inc(&n_batches);
    batch->levels = g_new0(guint, max_frames);
    batch->scratch = ocl_buffer_new(build->device, OCL_BUFFER_READ_WRITE, 2 * SCRATCH_B, error);
    if (batch->scratch)
        batch->frames = video_frames_new(build->device, &build->info, max_frames, TRUE, error);
    if (batch->frames)
        return batch;
    batch_free(filter, batch);
    return NULL;
}

static void snapshot(GstClBatchFilter *filter, GstClBatch batch, guint index)
{
    TestFilter *self = TEST_FILTER(filter);
    GST_OBJECT_LOCK(self);
    ((TestBatch *)batch)->levels[index] = self->level;
    GST_OBJECT_UNLOCK(self);
}

static void snapshot_copy(GstClBatchFilter *filter, GstClBatch from, GstClBatch to, guint index)
{
    ((TestBatch *)to)->levels[index] = ((TestBatch *)from)->levels[index];
}

static gboolean upload(GstClBatchFilter *filter, GstClBatch batch, OclQueue *queue, guint index,
                       GstVideoFrame *frame, GError **error)
{
    return video_frames_upload(((TestBatch *)batch)->frames, queue, index, frame, error);
}

static void block(TestFilter *self)
{
    g_atomic_int_inc(&self->n_blocked);
    while (g_atomic_int_get(&self->blocks))
        g_usleep(1000);
    g_atomic_int_add(&self->n_blocked, -1);
}

static gboolean compute(GstClBatchFilter *filter, GstClBatch data, OclQueue *queue, guint n_frames,
                        GError **error)
{
    TestFilter *self = TEST_FILTER(filter);
    TestBatch *batch = data;
    block(self);
    GST_OBJECT_LOCK(self);
    g_string_append_c(self->calls, 'c');
    g_array_append_vals(self->levels, batch->levels, n_frames);
    g_array_append_val(self->sizes, n_frames);
    GST_OBJECT_UNLOCK(self);
    return ocl_fill(queue, batch->scratch, 0, 0, SCRATCH_B, NULL, error);
}

static gboolean download(GstClBatchFilter *filter, GstClBatch batch, OclQueue *queue, guint index,
                         GstVideoFrame *frame, GError **error)
{
    return video_frames_download(((TestBatch *)batch)->frames, queue, index, frame, error);
}

static void reset(GstClBatchFilter *filter)
{
    TEST_FILTER(filter)->n_resets++;
    g_string_append_c(TEST_FILTER(filter)->calls, 'r');
}

static void set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
    GST_OBJECT_LOCK(object);
    TEST_FILTER(object)->level = g_value_get_uint(value);
    GST_OBJECT_UNLOCK(object);
}

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *spec)
{
    GST_OBJECT_LOCK(object);
    g_value_set_uint(value, TEST_FILTER(object)->level);
    GST_OBJECT_UNLOCK(object);
}

static void finalize(GObject *object)
{
    TestFilter *self = TEST_FILTER(object);
    g_assert_cmpint(self->n_started, ==, 0);
    g_string_free(self->calls, TRUE);
    g_array_unref(self->levels);
    g_array_unref(self->sizes);
    G_OBJECT_CLASS(test_filter_parent_class)->finalize(object);
}

static void test_filter_class_init(TestFilterClass *klass)
{
    GObjectClass *object_class = G_OBJECT_CLASS(klass);
    GstElementClass *element_class = GST_ELEMENT_CLASS(klass);
    GstClBatchFilterClass *filter_class = GST_CL_BATCH_FILTER_CLASS(klass);
    object_class->set_property = set_property;
    object_class->get_property = get_property;
    object_class->finalize = finalize;
    g_object_class_install_property(
        object_class, PROP_LEVEL,
        g_param_spec_uint("level", "Level", "A number that is kept per frame", 0, G_MAXUINT, 0,
                          G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_CONTROLLABLE));
    gst_element_class_add_static_pad_template(element_class, &sink_template);
    gst_element_class_add_static_pad_template(element_class, &src_template);
    gst_element_class_set_static_metadata(element_class, "Test filter", "Filter/Effect/Video",
                                          "Copies frames through a device", "tests");
    filter_class->start = start;
    filter_class->stop = stop;
    filter_class->transform_caps = transform_caps;
    filter_class->frame_limit = frame_limit;
    filter_class->carries_state = carries_state;
    filter_class->prepare = prepare;
    filter_class->release = release;
    filter_class->batch_new = batch_new;
    filter_class->batch_free = batch_free;
    filter_class->snapshot = snapshot;
    filter_class->snapshot_copy = snapshot_copy;
    filter_class->upload = upload;
    filter_class->compute = compute;
    filter_class->download = download;
    filter_class->reset = reset;
}

static void test_filter_init(TestFilter *self)
{
    self->n_devices = 1;
    self->calls = g_string_new("");
    self->levels = g_array_new(FALSE, FALSE, sizeof(guint));
    self->sizes = g_array_new(FALSE, FALSE, sizeof(guint));
}

/* ---------------------------------------------------------------- in two halves */

typedef TestFilter TestHalves;
typedef TestFilterClass TestHalvesClass;
G_DEFINE_TYPE(TestHalves, test_halves, TEST_TYPE_FILTER)

static gboolean compute_first(GstClBatchFilter *filter, GstClBatch data, OclQueue *queue,
                              guint n_frames, GError **error)
{
    TestBatch *batch = data;
    block(TEST_FILTER(filter));
    g_string_append_c(TEST_FILTER(filter)->calls, 'c');
    memset(batch->read_back, 0, SCRATCH_B);
    return ocl_fill(queue, batch->scratch, MARK, 0, SCRATCH_B, NULL, error) &&
           ocl_read(queue, batch->scratch, 0, batch->read_back, SCRATCH_B, NULL, error);
}

static gboolean has_first(GstClBatchFilter *filter, GstClBatch data, guint n_frames)
{
    const gboolean there = !g_atomic_int_get(&TEST_FILTER(filter)->without_first);
    if (!there) /* for proceed() to find */
        memset(((TestBatch *)data)->read_back, MARK, SCRATCH_B);
    return there;
}

static gboolean proceed(GstClBatchFilter *filter, GstClBatch data, OclQueue *queue, guint n_frames,
                        GError **error)
{
    TestFilter *self = TEST_FILTER(filter);
    TestBatch *batch = data;
    for (guint i = 0; i < SCRATCH_B; i++)
        g_assert_cmpuint(batch->read_back[i], ==, MARK);
    g_string_append_c(self->calls, 'p');
    g_array_append_vals(self->levels, batch->levels, n_frames);
    const gboolean ok =
        ocl_copy(queue, batch->scratch, 0, batch->scratch, SCRATCH_B, SCRATCH_B, NULL, error);
    g_atomic_int_inc(&self->n_proceeded);
    return ok;
}

static void test_halves_class_init(TestHalvesClass *klass)
{
    GST_CL_BATCH_FILTER_CLASS(klass)->compute = compute_first;
    GST_CL_BATCH_FILTER_CLASS(klass)->has_first = has_first;
    GST_CL_BATCH_FILTER_CLASS(klass)->proceed = proceed;
}

static void test_halves_init(TestHalves *self)
{
}
