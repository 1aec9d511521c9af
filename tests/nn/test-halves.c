/* test-halves.c - tests of what keeps networks in halves close to the same in floats.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <math.h>

#include "nn.h"
#include "onnx-builder.h"

#define CHANNELS 16
#define SIDE 20

static OclDevice *device;

static NnModel *model_of(const OnnxBuilder *builder)
{
    g_autoptr(GBytes) bytes = onnx_builder_pack(builder);
    g_autoptr(GError) error = NULL;
    NnModel *model = nn_model_load_bytes(bytes, "test.onnx", &error);
    g_assert_no_error(error);
    return model;
}

/* The output for @x; @variant: (nullable): the kernel that is forced where it fits. */
static NnArray *run(NnModel *model, NnPrecision precision, const char *variant, const NnArray *x)
{
    const NnNetworkParams params = { .precision = precision, .variant = variant };
    g_autoptr(GError) error = NULL;
    g_autoptr(NnNetwork) network = nn_network_new(model, device, &params, &error);
    g_assert_no_error(error);
    g_autoptr(OclQueue) queue = ocl_queue_new(device, "test", FALSE, &error);
    g_autoptr(NnSlot) slot = nn_slot_new(network, &error);
    g_assert_no_error(error);
    g_assert_true(nn_slot_write_input(slot, queue, 0, 1, x, &error));
    g_assert_true(nn_slot_run(slot, queue, 1, &error));
    NnArray *y = nn_slot_read_output(slot, queue, 0, 1, &error);
    g_assert_no_error(error);
    return y;
}

/* ---------------------------------------------------------------- weights */

/* 3x3 taps whose sum is 0 for each output and input. */
static float *balanced_weights(void)
{
    g_autoptr(NnArray) random = onnx_random_array("16,16,3,3", 7);
    float *w = g_memdup2(random->data, random->n * sizeof *w);
    for (gsize i = 0; i < random->n; i += 9) {
        w[i + 4] = 0;
        for (gsize t = 0; t < 9; t++)
            if (t != 4)
                w[i + 4] -= w[i + t];
    }
    return w;
}

static void test_flat_maps_do_not_see_rounded_weights(gconstpointer variant)
{
    g_autoptr(OnnxBuilder) builder = onnx_builder_new(13);
    g_autofree float *w = balanced_weights();
    onnx_builder_input(builder, "x", NN_FLOAT32, "1,16,20,20");
    onnx_builder_floats(builder, "w", "16,16,3,3", w);
    onnx_node_ints(onnx_builder_node(builder, "Conv", "x,w", "y"), "pads", "1,1,1,1");
    onnx_builder_output(builder, "y");
    g_autoptr(NnModel) model = model_of(builder);

    g_autoptr(NnArray) x = onnx_random_array("1,16,20,20", 3);
    for (gsize i = 0; i < x->n; i++)
        ((float *)x->data)[i] = 128.0f + i / (SIDE * SIDE);
    g_autoptr(NnArray) y = run(model, NN_PRECISION_FP16, variant, x);
    /* With each tap rounded to the nearest half the first is off by 0.04. */
    for (gsize c = 0; c < CHANNELS; c++)
        for (gsize row = 1; row < SIDE - 1; row++)
            for (gsize column = 1; column < SIDE - 1; column++)
                g_assert_cmpfloat_with_epsilon(nn_array_get(y, (c * SIDE + row) * SIDE + column), 0,
                                               0.01);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_autoptr(GError) error = NULL;
    device = ocl_device_open("cpu", &error);
    if (!device) {
        g_print("1..0 # SKIP %s\n", error->message);
        return 0;
    }
    static const char *const variants[] = { "conv_tensor", "conv_wgmma", "conv_halo", "conv_held" };
    for (guint i = 0; i < G_N_ELEMENTS(variants); i++) {
        g_autofree char *path =
            g_strdup_printf("/halves/the taps of an input keep their sum in %s", variants[i]);
        g_test_add_data_func(path, variants[i], test_flat_maps_do_not_see_rounded_weights);
    }
    const int status = g_test_run();
    ocl_device_unref(device);
    return status;
}
