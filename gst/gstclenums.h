/* gstclenums.h - enumerations that more than one element has as properties.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* NnPrecision: auto, fp32, fp16. */
#define GST_TYPE_CL_PRECISION (gst_cl_precision_get_type())
GType gst_cl_precision_get_type(void);

/* NnTuning: off, cached, measure. */
#define GST_TYPE_CL_TUNING (gst_cl_tuning_get_type())
GType gst_cl_tuning_get_type(void);

/* The property "precision". (transfer floating) */
GParamSpec *gst_cl_precision_param_spec(void);

G_END_DECLS
