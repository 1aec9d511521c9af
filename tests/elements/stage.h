/* stage.h - a filter between two pads of a test, and what tests do with them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <fakecl.h>
#include <gst/check/gstharness.h>

#include "testfilter.h"

G_BEGIN_DECLS

#define STAGE_CAPS "video/x-raw,format=GRAY8,width=16,height=8,framerate=25/1"
#define STAGE_OTHER_CAPS "video/x-raw,format=GRAY8,width=32,height=4,framerate=25/1"
#define FRAME_B 128
#define FRAME_NS (40 * GST_MSECOND)

typedef struct {
    GstHarness *harness;
    GstElement *element;
    TestFilter *filter;
    GstBus *bus;
    GMutex lock;
    GString *log; /* under lock: what left, a letter each: T C S b t g q E, lower case: riders */
    guint n_pushed;
    GMutex upstream; /* held while upstream pushes, as its stream lock is */
} Stage;

/* Not live, before caps. */
Stage *stage_new(guint batch_size);
/* The same with a computation in two halves. */
Stage *stage_new_halves(guint batch_size);
/* The same of either type on other devices: one, or two with a comma between them. */
Stage *stage_new_on(GType type, const char *devices, guint batch_size);
/* The same around any element. @element: (transfer full) */
Stage *stage_new_with(GstElement *element);
void stage_free(Stage *stage);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Stage, stage_free)

void stage_set_caps(Stage *stage, const char *caps);
/* A frame whose bytes are all @value; timestamps 40 ms apart. */
GstBuffer *stage_frame(Stage *stage, guint8 value);
GstFlowReturn stage_push(Stage *stage, guint8 value);
/* Pushes @n frames with the values that follow @first, all of which must be accepted. */
void stage_push_all(Stage *stage, guint8 first, guint n);
/* A flushing seek to the beginning, as upstream does it: flush, then a segment. Any thread. */
void stage_flush(Stage *stage);
/* Waits for the next frame and checks that its bytes are @value. (transfer full) */
GstBuffer *stage_pull(Stage *stage, guint8 value);
void stage_pull_all(Stage *stage, guint8 first, guint n);
void stage_wait_for_eos(Stage *stage);
/* Frames that came out and were not pulled. */
guint stage_level(Stage *stage);
char *stage_log(Stage *stage);

guint64 stage_stat(Stage *stage, const char *name);
/* Waits until it is at least @value. */
void stage_wait_stat(Stage *stage, const char *name, guint64 value);
/* Waits for an error on the bus. */
void stage_expect_error(Stage *stage, GQuark domain, gint code);
gboolean stage_has_error(Stage *stage);

/* A thread that pushes frames of value 0 until one is refused, or @n. */
typedef struct {
    Stage *stage;
    guint n;
    GThread *thread;
    GstFlowReturn flow; /* of the last; read after joining */
} Pusher;
void pusher_start(Pusher *pusher, Stage *stage, guint n);
GstFlowReturn pusher_join(Pusher *pusher);

/* ---- the program */

void stage_init(int *argc, char ***argv);
/* After it no OpenCL object and no batch may be left. */
void stage_add(const char *sentence, void (*test)(void));
/* After it something may be left, so it must be the last. */
void stage_add_last(const char *sentence, void (*test)(void));

G_END_DECLS
