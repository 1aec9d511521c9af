/* testfilter.h - the smallest filter on the base class: frames go to the device and come back.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Its computation is one fill of a scratch buffer, so tests hold or break a batch as
 * "clEnqueueFillBuffer". What the base class calls is counted. There is a second type whose
 * computation has two halves.
 */
#pragma once

#include <gstclbatchfilter.h>

G_BEGIN_DECLS

#define TEST_COMPUTE "clEnqueueFillBuffer"
#define TEST_PROCEED "clEnqueueCopyBuffer"

#define TEST_TYPE_FILTER (test_filter_get_type())
G_DECLARE_FINAL_TYPE(TestFilter, test_filter, TEST, FILTER, GstClBatchFilter)

struct _TestFilter {
    GstClBatchFilter parent;

    /* OBJECT_LOCK: property */
    guint level; /* controllable */

    /* read by tests once the frames in question have come out */
    gint n_started, n_prepared, n_released, n_resets;
    gint n_proceeded;       /* atomic */
    gint without_first;     /* atomic, set by tests: first halves are nothing */
    gint blocks;            /* atomic, set by tests: compute() does not return while it is */
    gint n_blocked;         /* atomic: calls of compute() that have not returned */
    guint frame_limit;      /* set by tests; 0: none */
    gboolean carries_state; /* set by tests */
    NnTuning tuning;        /* that the last prepare() was to use */
    guint tuning_ms;
    gint n_devices; /* set by tests: how many builds there may be at a time */
    GArray *levels; /* guint, level at each snapshot; two halves: in the order of the second */
    GString *calls; /* a letter each: r reset, c compute, p proceed */
    GArray *sizes;  /* guint, frames of each batch computed */
};

/* The same in two halves: compute() fills and reads the scratch buffer back, proceed() sees that it
 * has come and copies it. */
#define TEST_TYPE_HALVES (test_halves_get_type())
GType test_halves_get_type(void);

/* Whether batch_new() and batch_free() were called the same number of times. */
gboolean test_filter_is_balanced(void);

G_END_DECLS
