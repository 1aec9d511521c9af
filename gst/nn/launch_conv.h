/* launch_conv.h - what the ways to run a convolution share: one description of its sums.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "launch_util.h"

G_BEGIN_DECLS

/* Mirrors kernels/conv.cl. */
typedef struct {
    gint32 groups, c, k;
    gint32 kh, kw;
    gint32 stride_h, stride_w, dilation_h, dilation_w;
    gint32 pad_h, pad_w;
} ConvShape;

/* Some channels of a convolution's input that are not stored: an enlarged map, of which the kernel
 * makes what it needs. */
typedef struct {
    const NnNode *node;    /* Resize or Upsample */
    NnResizeParams params; /* its own; linear */
    NnView small;          /* what it enlarges */
    gint32 first;          /* channel of the convolution's input */
} ConvResized;

/* Some channels of a convolution's input that are yet to be normalised. */
typedef struct {
    const NnNode *norm; /* PartInstanceNorm */
    NnView moments;     /* of @n_parts, see nn_recorder_moments() */
    gint64 n_parts;
    gboolean small; /* they are those of the map that is enlarged */
} ConvNormed;

/* One convolution: a Conv node, or one phase of a transposed one. */
typedef struct ConvJob {
    NnRecorder *recorder;
    const NnNode *node;
    ConvShape shape;
    NnView x, y, residual; /* residual is y where there is none */
    gboolean has_residual, has_bias;
    gboolean residual_last;     /* it comes behind the activation and post_scale */
    NnView weights;             /* axes: group, output, input, row, column */
    NnView bias;                /* [groups * k]; weights where there is none */
    const float *weight_values; /* (nullable): where weights.offset counts from, if constant */
    const float *bias_values;   /* (nullable) */
    gboolean prescaled;         /* the kernel multiplies the input by in_scale, dense floats */
    NnView in_scale;
    const NnNode *norm;        /* (nullable): the PartInstanceNorm that alone uses y */
    const struct ConvJob *few; /* (nullable): the convolution that alone uses what norm computes, if
                                  nn_norm_few_fits() */
    guint scaled;              /* SCALED in common.clh: which of the next two there are */
    NnView out_scale, post_scale; /* dense floats; one of them stands in for the other */
    const ConvResized *resized;   /* (nullable) */
    const ConvNormed *normed;     /* (nullable) */
    const NnView *pooled; /* (nullable): the largest of each 2x2 of y are stored there, y is not */
    const NnView *pooled_too; /* (nullable): the same beside y, and of what there is of 2x2 */
} ConvJob;

/* The options and arguments of a convolution's epilogue. */
#define CONV_PRESCALE_OPTION " -DPRESCALED=%d"
#define CONV_EPILOGUE_OPTION " -DACT=%d -DSCALED=%u"
#define CONV_EPILOGUE(job) (job)->node->activation.type, (job)->scaled
/* RESIDUAL, for kernels that take one behind the activation, too: 0, 1, or 2 there. */
int nn_conv_residual(const ConvJob *job);
/* launch_conv.c: an ordinary convolution, by the variant that is chosen for it. */
gboolean nn_conv_record(const ConvJob *job, GError **error);
/* launch_conv_transposed.c: @whole is of a ConvTranspose; its shape is not used. */
gboolean nn_conv_record_transposed(const ConvJob *whole, const NnConvParams *params,
                                   GError **error);
/* launch_conv.c: alpha, beta and scales. */
void nn_conv_launch_epilogue(NnLaunch *launch, const ConvJob *job);
/* Behind it, where the kernel takes CONV_PRESCALE_OPTION. */
void nn_conv_launch_prescale(NnLaunch *launch, const ConvJob *job);

/* launch_conv_plain.c: on any device; the first takes whatever there is. */
gboolean nn_conv_general_record(gconstpointer job, GError **error);
gboolean nn_conv_vector_fits(gconstpointer job);
gboolean nn_conv_vector_record(gconstpointer job, GError **error);
gboolean nn_conv_depthwise_fits(gconstpointer job);
gboolean nn_conv_depthwise_record(gconstpointer job, GError **error);

/* launch_conv3d.c: three axes and any number of maps; the only way to run those. */
gboolean nn_launch_conv_3d(NnRecorder *recorder, const NnNode *node, const NnConvParams *params);

/* launch_conv_halves.c: @job, of one group, with its weights rounded to halves; such that the sum
 * of the taps of each output and input stays what it is. @memory: (out): theirs, to be freed. */
ConvJob nn_conv_rounded(const ConvJob *job, float **memory);

/* What follows "NAME:" where a test or a measurement forces a tile of the variant @name; "" where
 * it forces @name alone; else NULL. */
const char *nn_conv_forced_tile(const ConvJob *job, const char *name);

/* launch_conv_tensor.c: on NVIDIA's tensor cores. */
gboolean nn_conv_tensor_fits(gconstpointer job);
gboolean nn_conv_tensor_record(gconstpointer job, GError **error);
/* The device has tensor cores, or the variant @name is forced, and emulated. */
gboolean nn_conv_tensor_fits_device(const ConvJob *job, const char *name);
/* What any tensor core asks of a convolution, on whatever device. */
gboolean nn_conv_tensor_fits_sums(const ConvJob *job);
/* And of what it pools. */
gboolean nn_conv_tensor_fits_pooled(const ConvJob *job);
/* There are none: a test asks for the kernel by name, or has a CPU stand in for a GPU. */
gboolean nn_conv_tensor_emulated(const ConvJob *job);
/* The four phases of a transposed convolution with stride 2 at once. */
#define N_PHASES 4
typedef struct {
    const ConvJob *whole;  /* y and residual are all of the maps; the shape is not used */
    const ConvJob *phases; /* [N_PHASES], each with the shape of an ordinary convolution: of rows 0
                              and columns 0, 0 and 1, 1 and 0, 1 and 1 */
} ConvPhases;

/* Mirrors PhaseTaps in kernels/conv_epilogue.clh. */
typedef struct {
    gint32 rows[2], columns[2], pad_y[2], pad_x[2];
    gint32 weights_at[N_PHASES]; /* halves */
} ConvPhaseTaps;

gboolean nn_conv_tensor_phases_fits(gconstpointer phases);
gboolean nn_conv_tensor_phases_pays(gconstpointer phases);
gboolean nn_conv_tensor_phases_record(gconstpointer phases, GError **error);
/* What any kernel with phases asks for. */
gboolean nn_conv_phases_fit(const ConvPhases *phases);
/* All but where their weights are. */
ConvPhaseTaps nn_conv_phase_taps(const ConvPhases *phases);

/* launch_norm.c: the most parts that it takes the moments of, 0 if it takes none. */
gint64 nn_norm_most_parts(NnRecorder *recorder, const NnNode *norm);
/* PartInstanceNorm by the moments of @n_parts, [part][3][channel] floats, see
 * kernels/conv_epilogue.clh. */
void nn_launch_norm_by_moments(NnRecorder *recorder, const NnNode *norm, const NnView *moments,
                               gint64 n_parts);

/* Whether one launch can normalise and convolve: 1x1 to few outputs, without scales. */
gboolean nn_norm_few_fits(const ConvJob *few);
/* As nn_launch_norm_by_moments(), with the convolution behind it, and storing its output alone. */
void nn_launch_norm_few(const ConvJob *few, const NnNode *norm, const NnView *moments,
                        gint64 n_parts);

/* How a kernel on tensor cores is launched for a sample. */
typedef struct {
    const char *kernel; /* "conv_tensor", which is in conv_tensor.cl */
    gboolean emulated;
    const ConvPhaseTaps *taps;   /* (nullable) */
    gint64 tiles, channel_tiles; /* of the map and of its channels: a work-group each */
    int splits;                  /* parts of the inner dimension, a work-group each, too */
    int sums;                    /* of a work-group */
    int threads;                 /* of a work-group */
    int parts;                   /* of a work-group, as it leaves moments */
    const NnNode *before[2];     /* (nullable): whose activations' arguments come last */
    double flops;                /* of a sample; 0: those of the job's shape */
} ConvGrid;
/* What all of those kernels take (CONV_PARAMETERS in kernels/conv_epilogue.clh). @options: what is
 * the kernel's own. */
void nn_conv_tensor_launch(const ConvJob *job, const ConvGrid *grid, const NnView *weights,
                           const char *options);

/* Between two launches, on an H200. */
#define NN_LAUNCH_US 3.5

/* How long a work-group of a tile takes on one multiprocessor of an H200: a step by itself, a step
 * of each where it takes turns with others, and start and end of as many as are resident. */
typedef struct {
    int resident; /* work-groups that share a multiprocessor */
    double alone_us, shared_us, edge_us;
} ConvPace;

/* launch_conv_wgmma.c: on Hopper's tensor cores. */
gboolean nn_conv_wgmma_fits(gconstpointer job);
gboolean nn_conv_wgmma_pays(gconstpointer job);
gboolean nn_conv_wgmma_record(gconstpointer job, GError **error);
gboolean nn_conv_wgmma_phases_fits(gconstpointer phases);
gboolean nn_conv_wgmma_phases_pays(gconstpointer phases);
gboolean nn_conv_wgmma_phases_record(gconstpointer phases, GError **error);
/* The device has such tensor cores, and its driver lets them be used; or the variant @name is
 * forced, and emulated. */
gboolean nn_conv_wgmma_fits_device(const ConvJob *job, const char *name);
gboolean nn_conv_wgmma_emulated(const ConvJob *job);
/* The multiprocessors that work-groups are counted for: those of the device if it is a Hopper. */
gint64 nn_conv_wgmma_units(const ConvJob *job, gint64 otherwise);
gboolean nn_conv_wgmma_fits_sums(const ConvJob *job);
/* Where in row @row of a matrix element @column is (SWIZZLE in kernels/hopper.clh), the rows being
 * @chunks of 8 halves. */
gint64 nn_conv_wgmma_swizzled(gint64 chunks, gint64 row, gint64 column);
/* An estimate for a full batch of @groups work-groups per sample, each of @steps steps that are cut
 * into @splits parts of @sums sums. */
double nn_conv_wgmma_expected_us(const ConvJob *job, const ConvPace *pace, gint64 groups,
                                 double steps, int splits, int sums);
/* The same of the best tile of conv_wgmma. */
double nn_conv_wgmma_us(const ConvJob *job);

/* launch_conv_halo.c: the same with stride 1, from patches of the map. */
gboolean nn_conv_halo_fits(gconstpointer job);
gboolean nn_conv_halo_pays(gconstpointer job);
gboolean nn_conv_halo_record(gconstpointer job, GError **error);
/* An estimate for a full batch; G_MAXDOUBLE if it does not fit. */
double nn_conv_halo_us(const ConvJob *job);

/* launch_conv_held.c: the same for few channels. */
gboolean nn_conv_held_fits(gconstpointer job);
gboolean nn_conv_held_pays(gconstpointer job);
gboolean nn_conv_held_record(gconstpointer job, GError **error);

/* launch_conv_first.c: on any tensor cores, of up to four channels. */
gboolean nn_conv_first_fits(gconstpointer job);
gboolean nn_conv_first_record(gconstpointer job, GError **error);

/* launch_conv_inverted.c: an inverted residual in one launch, or two where what lies between is cut
 * into parts. Each of the three is all that uses what the one before computes; stored is the last's
 * output alone. */
typedef struct {
    const ConvJob *expand;  /* (nullable): 1x1 */
    const ConvJob *filter;  /* each channel by itself */
    const ConvJob *project; /* 1x1 */
} ConvInverted;

gboolean nn_conv_inverted_fits(const ConvInverted *job);
gboolean nn_conv_inverted_pays(const ConvInverted *job);
void nn_conv_inverted_record(const ConvInverted *job);

/* launch_conv_resized.c: what the convolution @node alone reads of an enlarged map, @x being the
 * view of its input; FALSE if there is none. */
gboolean nn_conv_find_resized(NnRecorder *recorder, const NnNode *node, const NnView *x,
                              ConvResized *resized);
/* What kernels that make it themselves ask of it, if there is any. */
gboolean nn_conv_resized_fits(const ConvJob *job);
/* Its options; to be freed. */
char *nn_conv_resized_option(const ConvJob *job);
/* Its arguments, if there is any. */
void nn_conv_launch_resized(NnLaunch *launch, const ConvJob *job);

/* launch_conv_normed.c: what of @node's input, or of the map that is enlarged into it, is yet to be
 * normalised; FALSE if nothing is. */
gboolean nn_conv_find_normed(NnRecorder *recorder, const NnNode *node, const ConvResized *resized,
                             ConvNormed *normed);
/* Whether a convolution behind @norm, of @n_parts, will do that. */
gboolean nn_conv_takes_norm(NnRecorder *recorder, const NnNode *norm, gint64 n_parts);
/* What kernels that normalise ask, as of an enlarged map. */
gboolean nn_conv_normed_fits(const ConvJob *job);
char *nn_conv_normed_option(const ConvJob *job);
void nn_conv_launch_normed(NnLaunch *launch, const ConvJob *job);
/* Local memory that this takes of a work-group of @threads. */
gint64 nn_conv_normed_local_b(const ConvJob *job, gint64 threads);

/* launch_conv_wide.c: on GPUs, beside tensor cores. */
gboolean nn_conv_depthwise_wide_fits(gconstpointer job);
gboolean nn_conv_depthwise_wide_record(gconstpointer job, GError **error);
gboolean nn_conv_few_fits(gconstpointer job);
gboolean nn_conv_few_record(gconstpointer job, GError **error);

/* launch_conv_tiled.c: on GPUs without tensor cores, and in float32. */
gboolean nn_conv_tiled_fits(gconstpointer job);
gboolean nn_conv_tiled_pays(gconstpointer job);
gboolean nn_conv_tiled_record(gconstpointer job, GError **error);

/* launch_conv_fir.c: on GPUs, depthwise ones by filters that are outer products, and transposed
 * ones of a few channels: @job is the whole one, its shape with the stride of the
 * output.
 */
gboolean nn_conv_fir_fits(gconstpointer job);
gboolean nn_conv_fir_record(gconstpointer job, GError **error);
gboolean nn_conv_fir_up_fits(const ConvJob *job);
gboolean nn_conv_fir_up_record(const ConvJob *job, GError **error);

/* launch_conv_narrow.c: a few outputs, on any device. */
gboolean nn_conv_narrow_fits(gconstpointer job);
gboolean nn_conv_narrow_record(gconstpointer job, GError **error);

/* launch_conv_rows.c: on CPUs, a band of rows at a time. */
gboolean nn_conv_pointwise_fits(gconstpointer job);
gboolean nn_conv_pointwise_record(gconstpointer job, GError **error);
/* It can multiply the input by in_scale, too. */
gboolean nn_conv_pointwise_prescales(const ConvJob *job);
gboolean nn_conv_staged_fits(gconstpointer job);
gboolean nn_conv_staged_record(gconstpointer job, GError **error);
gboolean nn_conv_depthwise_rows_fits(gconstpointer job);
gboolean nn_conv_depthwise_rows_record(gconstpointer job, GError **error);
/* Two convolutions in one launch, of which the second uses only what the first computes, which is
 * not stored: 1x1, then each channel by itself; and the other way round. */
gboolean nn_conv_expanded_fits(const ConvJob *first, const ConvJob *second);
void nn_conv_expanded_record(const ConvJob *first, const ConvJob *second);
gboolean nn_conv_separable_fits(const ConvJob *first, const ConvJob *second);
void nn_conv_separable_record(const ConvJob *first, const ConvJob *second);
/* Two 1x1 of a single pixel, as in squeeze-and-excite blocks. */
gboolean nn_conv_points_fits(const ConvJob *first, const ConvJob *second);
void nn_conv_points_record(const ConvJob *first, const ConvJob *second);

/* launch_conv_winograd.c: 3x3 on CPUs, in one launch with a tile's numbers in the cache, or in
 * three through memory. */
gboolean nn_conv_winograd_fused_fits(gconstpointer job);
gboolean nn_conv_winograd_fused_pays(gconstpointer job);
gboolean nn_conv_winograd_fused_record(gconstpointer job, GError **error);
gboolean nn_conv_winograd_fits(gconstpointer job);
gboolean nn_conv_winograd_pays(gconstpointer job);
gboolean nn_conv_winograd_record(gconstpointer job, GError **error);

G_END_DECLS
