/* testfilter.h - the smallest filter on the base class: frames go to the device and come back.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Its computation is one fill of a scratch buffer, so tests hold or break a batch as
 * "clEnqueueFillBuffer". What the base class calls is counted.
 */
#pragma once

#include <gstclbatchfilter.h>

G_BEGIN_DECLS

#define TEST_COMPUTE "clEnqueueFillBuffer"

#define TEST_TYPE_FILTER (test_filter_get_type())
G_DECLARE_FINAL_TYPE(TestFilter, test_filter, TEST, FILTER, GstClBatchFilter)

struct _TestFilter {
    GstClBatchFilter parent;

    /* OBJECT_LOCK: property */
    guint level; /* controllable */

    /* read by tests once the frames in question have come out */
    gint n_started, n_prepared, n_released, n_resets;
    guint frame_limit; /* set by tests; 0: none */
    GArray *levels;    /* guint, level at each snapshot */
    GArray *sizes;     /* guint, frames of each batch computed */

    GstVideoInfo info;
};

/* Whether batch_new() and batch_free() were called the same number of times. */
gboolean test_filter_is_balanced(void);

G_END_DECLS
