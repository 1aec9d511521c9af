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

/* ---------------------------------------------------------------- channels that are always on */

#define ALWAYS_ON 3 /* the channel */
#define BIAS 228.25f
#define WIDE_SIDE 24

/* The weights of channel @c of 24, for all of 8 outputs, times @factor. */
static void scale_input(float *w, gsize c, float factor)
{
    for (gsize k = 0; k < 8; k++)
        for (gsize t = 0; t < 9; t++)
            w[(k * 24 + c) * 9 + t] *= factor;
}

/* What the reader adds to take the constant off again. */
static void take_off(const float *w, float *bias)
{
    for (gsize k = 0; k < 8; k++)
        for (gsize t = 0; t < 9; t++)
            bias[k] -= BIAS * w[(k * 24 + ALWAYS_ON) * 9 + t];
}

/* As in U2-Net: a map of 16 channels, one of which is BIAS and a little, is made larger and read
 * beside another of 8. */
static NnModel *always_on_model(void)
{
    g_autoptr(OnnxBuilder) builder = onnx_builder_new(13);
    g_autoptr(NnArray) random_w = onnx_random_array("16,8,3,3", 5);
    g_autoptr(NnArray) random_v = onnx_random_array("8,24,3,3", 6);
    float *w = random_w->data, *v = random_v->data, bias_w[16] = { 0 }, bias_v[8] = { 0 };
    for (gsize i = 0; i < 72; i++)
        w[ALWAYS_ON * 72 + i] *= 0.01f;
    bias_w[ALWAYS_ON] = BIAS;
    for (gsize c = 0; c < 24; c++)
        scale_input(v, c, c == ALWAYS_ON ? 5.0f : 0.1f);
    take_off(v, bias_v);
    onnx_builder_input(builder, "x", NN_FLOAT32, "1,8,12,12");
    onnx_builder_floats(builder, "w", "16,8,3,3", w);
    onnx_builder_floats(builder, "bias_w", "16", bias_w);
    onnx_builder_floats(builder, "u", "8,8,1,1", NULL);
    onnx_builder_floats(builder, "v", "8,24,3,3", v);
    onnx_builder_floats(builder, "bias_v", "8", bias_v);
    onnx_builder_floats(builder, "scales", "4", (const float[]){ 1, 1, 2, 2 });
    onnx_node_ints(onnx_builder_node(builder, "Conv", "x,w,bias_w", "a"), "pads", "1,1,1,1");
    onnx_builder_node(builder, "Relu", "a", "b");
    onnx_node_string(onnx_builder_node(builder, "Resize", "b,,scales", "c"), "mode", "linear");
    onnx_node_string(onnx_builder_node(builder, "Resize", "x,,scales", "d"), "mode", "linear");
    onnx_builder_node(builder, "Conv", "d,u", "e");
    onnx_node_int(onnx_builder_node(builder, "Concat", "c,e", "f"), "axis", 1);
    onnx_node_ints(onnx_builder_node(builder, "Conv", "f,v,bias_v", "y"), "pads", "1,1,0,1");
    onnx_builder_output(builder, "y");
    return model_of(builder);
}

/* The largest difference of halves from floats, of pixels @margin away from the border, as a share
 * of what those pixels range over. */
static double always_on_error(float magnitude, gsize margin, const char *variant)
{
    g_autoptr(NnModel) model = always_on_model();
    g_autoptr(NnArray) x = onnx_random_array("1,8,12,12", 4);
    for (gsize i = 0; i < x->n; i++)
        ((float *)x->data)[i] *= magnitude;
    g_autoptr(NnArray) floats = run(model, NN_PRECISION_FP32, NULL, x);
    g_autoptr(NnArray) halves = run(model, NN_PRECISION_FP16, variant, x);
    double error = 0, low = INFINITY, high = -INFINITY;
    for (gsize i = 0; i < floats->n; i++) {
        const gsize row = i / WIDE_SIDE % (WIDE_SIDE - 1), column = i % WIDE_SIDE;
        if (MIN(row, column) < margin || MAX(row + 1, column) + margin >= WIDE_SIDE)
            continue;
        const double y = nn_array_get(floats, i);
        error = fmax(error, fabs(nn_array_get(halves, i) - y));
        low = fmin(low, y);
        high = fmax(high, y);
    }
    return error / (high - low);
}

static void test_channels_that_are_always_on_keep_their_details(gconstpointer variant)
{
    g_assert_cmpfloat(always_on_error(1, 1, variant), <,
                      2e-3); /* 0.17 without the constant apart */
}

static void test_the_constant_ends_where_the_map_does(gconstpointer variant)
{
    g_assert_cmpfloat(always_on_error(1, 0, variant), <, 1e-3);
    /* Nothing but constants, so that only what is around the map counts. With its weights rounded
     * like others 2.0e-4, half of which is the output's own rounding. */
    g_assert_cmpfloat(always_on_error(0, 0, variant), <, 1.5e-4);
}

static void test_a_channel_may_be_off_all_the_same(gconstpointer variant)
{
    g_assert_cmpfloat(always_on_error(1000, 1, variant), <, 2e-3);
}

/* ---------------------------------------------------------------- large numbers */

static float *weights_times(const char *shape, float factor)
{
    g_autoptr(NnArray) random = onnx_random_array(shape, 8);
    for (gsize i = 0; i < random->n; i++)
        ((float *)random->data)[i] *= factor;
    return g_memdup2(random->data, random->n * sizeof(float));
}

/* Sums of up to 2e5 between numbers of about 1, on the way through all that may scale them: bias,
 * residual, Concat, Resize; and a gate, which may not. */
static NnModel *large_model(void)
{
    g_autoptr(OnnxBuilder) builder = onnx_builder_new(13);
    g_autofree float *u = weights_times("8,8,3,3", 200), *v = weights_times("8,8,3,3", 60);
    g_autofree float *w = weights_times("8,16,1,1", 1e-5f);
    onnx_builder_input(builder, "x", NN_FLOAT32, "1,8,12,12");
    onnx_builder_floats(builder, "u", "8,8,3,3", u);
    onnx_builder_floats(builder, "bias", "8", (const float[]){ 99, -99, 9, -9, 999, 0, 1, 50 });
    onnx_builder_floats(builder, "v", "8,8,3,3", v);
    onnx_builder_floats(builder, "w", "8,16,1,1", w);
    onnx_builder_floats(builder, "scales", "4", (const float[]){ 1, 1, 2, 2 });
    onnx_node_ints(onnx_builder_node(builder, "Conv", "x,u,bias", "a"), "pads", "1,1,1,1");
    onnx_builder_node(builder, "Relu", "a", "b");
    onnx_node_ints(onnx_builder_node(builder, "Conv", "b,v", "c"), "pads", "1,1,1,1");
    onnx_builder_node(builder, "Add", "c,b", "d");
    onnx_node_int(onnx_builder_node(builder, "Concat", "d,b", "e"), "axis", 1);
    onnx_node_string(onnx_builder_node(builder, "Resize", "e,,scales", "f"), "mode", "linear");
    onnx_builder_node(builder, "Conv", "f,w", "g");
    onnx_builder_node(builder, "Sigmoid", "g", "h");
    onnx_builder_node(builder, "Mul", "g,h", "y");
    onnx_builder_output(builder, "y");
    return model_of(builder);
}

static void test_numbers_beyond_halves_stay_finite(gconstpointer variant)
{
    g_autoptr(NnModel) model = large_model();
    g_autoptr(NnArray) x = onnx_random_array("1,8,12,12", 2);
    g_autoptr(NnArray) floats = run(model, NN_PRECISION_FP32, NULL, x);
    g_autoptr(NnArray) halves = run(model, NN_PRECISION_FP16, variant, x);
    for (gsize i = 0; i < floats->n; i++)
        g_assert_cmpfloat_with_epsilon(nn_array_get(halves, i), nn_array_get(floats, i), 0.01);
}

static void add_test(const char *name, const char *variant, GTestDataFunc run_test)
{
    g_autofree char *path = g_strdup_printf("/halves/%s by %s", name, variant ? variant : "rules");
    g_test_add_data_func(path, variant, run_test);
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
    static const char *const variants[] = { "conv_tensor", "conv_wgmma", "conv_halo", "conv_held",
                                            NULL };
    for (guint i = 0; i < G_N_ELEMENTS(variants); i++) {
        if (variants[i])
            add_test("the taps of an input keep their sum", variants[i],
                     test_flat_maps_do_not_see_rounded_weights);
        add_test("channels that are always on keep their details", variants[i],
                 test_channels_that_are_always_on_keep_their_details);
        add_test("the constant of a channel ends where the map does", variants[i],
                 test_the_constant_ends_where_the_map_does);
        add_test("a channel that should be always on may be off", variants[i],
                 test_a_channel_may_be_off_all_the_same);
        add_test("numbers beyond halves stay finite", variants[i],
                 test_numbers_beyond_halves_stay_finite);
    }
    const int status = g_test_run();
    ocl_device_unref(device);
    return status;
}
