/* net.c - a network of the test's own, built for the harness' device.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "net.h"

Net net_new(OnnxBuilder *builder, const char *preset, guint max_samples, NnPrecision precision)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) bytes = onnx_builder_pack(builder);
    const NnNetworkParams params = { .max_samples = max_samples, .precision = precision };
    Net net = { .info = video_model_info_preset(preset) };
    net.model = nn_model_load_bytes(bytes, "test", &error);
    g_assert_no_error(error);
    net.network = nn_network_new(net.model, harness_device(), &params, &error);
    g_assert_no_error(error);
    net.slot = nn_slot_new(net.network, &error);
    g_assert_no_error(error);
    return net;
}

void net_clear(Net *net)
{
    nn_slot_free(net->slot);
    nn_network_unref(net->network);
    nn_model_unref(net->model);
    video_model_info_free(net->info);
}
