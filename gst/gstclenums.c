/* gstclenums.c - enumerations that more than one element has as properties.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "gstclenums.h"

#include "nn/nn.h"

GType gst_cl_precision_get_type(void)
{
    static gsize type;
    static const GEnumValue values[] = {
        { NN_PRECISION_AUTO,
          "fp16 where the device gains by it and the network is not known to suffer, else fp32",
          "auto" },
        { NN_PRECISION_FP32, "32-bit floats", "fp32" },
        { NN_PRECISION_FP16, "16-bit floats in memory, summed in 32 bits", "fp16" },
        { 0, NULL, NULL },
    };
    if (g_once_init_enter(&type)) {
        GType made = g_enum_register_static("GstClPrecision", values);
        gst_type_mark_as_plugin_api(made, 0);
        g_once_init_leave(&type, made);
    }
    return type;
}

GType gst_cl_tuning_get_type(void)
{
    static gsize type;
    static const GEnumValue values[] = {
        { NN_TUNING_OFF, "Kernels by rules, the same on every machine", "off" },
        { NN_TUNING_CACHED, "Those measured to be fastest on such a device before, if any",
          "cached" },
        { NN_TUNING_MEASURE, "Those, and what is not known is measured before the stream begins",
          "measure" },
        { 0, NULL, NULL },
    };
    if (g_once_init_enter(&type)) {
        GType made = g_enum_register_static("GstClTuning", values);
        gst_type_mark_as_plugin_api(made, 0);
        g_once_init_leave(&type, made);
    }
    return type;
}

GParamSpec *gst_cl_precision_param_spec(void)
{
    return g_param_spec_enum(
        "precision", "Precision", "Numbers that the network computes with", GST_TYPE_CL_PRECISION,
        NN_PRECISION_AUTO, G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING);
}
