/* gstgpenenhance.h - the portrait enhancement element.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "gstclbatchfilter.h"

G_BEGIN_DECLS

#define GST_TYPE_GPEN_ENHANCE (gst_gpen_enhance_get_type())
G_DECLARE_FINAL_TYPE(GstGpenEnhance, gst_gpen_enhance, GST, GPEN_ENHANCE, GstClBatchFilter)

GST_ELEMENT_REGISTER_DECLARE(gpenenhance)

G_END_DECLS
