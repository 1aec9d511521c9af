/* gstunetmatte.h - the matting element.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "gstclbatchfilter.h"

G_BEGIN_DECLS

#define GST_TYPE_UNET_MATTE (gst_unet_matte_get_type())
G_DECLARE_FINAL_TYPE(GstUnetMatte, gst_unet_matte, GST, UNET_MATTE, GstClBatchFilter)

GST_ELEMENT_REGISTER_DECLARE(unetmatte)

G_END_DECLS
