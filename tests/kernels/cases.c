/* cases.c - the table of kernel tests.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sizes are one, odd, prime, and around the tiles of the kernels (4, 8, 12 and 16 pixels or
 * channels).
 */
#include "cases.h"

#define CONV "conv_general conv_vector conv_staged"
#define WINOGRAD CONV " conv_winograd conv_winograd_fused"
#define SAME "pads=1,1,1,1"

/* clang-format off */
const Case cases[] = {
    /* ---- convolution */
    { "Conv", 13, "f:1,1,1,1 !f:1,1,1,1", "", CONV, .dresses = PLAIN },
    { "Conv", 13, "f:1,3,17,13 !f:32,3,3,3 !f:32", "strides=2,2 " SAME, CONV, .dresses = SCALES },
    { "Conv", 13, "f:1,16,9,11 !f:16,16,3,3 !f:16", SAME, WINOGRAD, .dresses = SCALES | ADDED },
    { "Conv", 13, "f:1,32,17,37 !f:33,32,3,3", "pads=0,2,1,0", WINOGRAD, .dresses = SCALES },
    { "Conv", 13, "f:1,48,4,3 !f:7,48,3,3 !f:7", SAME, WINOGRAD, .dresses = SCALES },
    { "Conv", 13, "f:1,35,13,9 !f:16,35,3,3 !f:16", SAME, WINOGRAD, .dresses = SCALES },
    { "Conv", 13, "f:1,16,70,67 !f:64,16,3,3 !f:64", SAME, WINOGRAD, .dresses = PLAIN },
    { "Conv", 13, "f:1,17,8,8 !f:33,17,3,3 !f:33", SAME, CONV, .dresses = SCALES },
    { "Conv", 13, "f:1,40,13,17 !f:1,40,3,3 !f:1", SAME, CONV " conv_narrow", .dresses = SCALES },
    { "Conv", 13, "f:1,21,6,7 !f:3,21,5,5 !f:3", "pads=2,2,2,2 strides=2,1", CONV " conv_narrow",
      .dresses = SCALES },
    { "Conv", 13, "f:1,16,9,4 !f:4,16,1,1", "", CONV " conv_pointwise conv_narrow", .dresses = SCALES },
    { "Conv", 13, "f:1,5,9,4 !f:2,5,1,1", "", CONV " conv_narrow", .dresses = SCALES },
    { "Conv", 13, "f:1,7,5,31 !f:5,7,3,3", "", CONV, .dresses = SCALES },
    { "Conv", 13, "f:1,64,7,7 !f:48,64,1,1 !f:48", "", CONV " conv_pointwise", .dresses = SCALES | ADDED },
    { "Conv", 13, "f:1,33,1,1 !f:130,33,1,1 !f:130", "", CONV " conv_pointwise", .dresses = SCALES },
    { "Conv", 13, "f:1,19,9,13 !f:40,19,1,1 !f:40", "", CONV " conv_pointwise", .dresses = SCALES },
    { "Conv", 13, "f:1,16,9,13 !f:72,16,1,1 !f:72", "strides=2,2", CONV " conv_pointwise", .dresses = SCALES },
    { "Conv", 13, "f:1,16,70,67 !f:21,16,3,3 !f:21", "strides=2,1 pads=1,0,0,1", CONV, .dresses = PLAIN },
    { "Conv", 13, "f:1,8,12,10 !f:15,8,5,5 !f:15", "pads=2,2,2,2", CONV, .dresses = SCALES },
    { "Conv", 13, "f:1,4,15,15 !f:8,4,3,3 !f:8", "dilations=2,2 pads=2,2,2,2", CONV, .dresses = SCALES },
    { "Conv", 13, "f:1,4,15,9 !f:8,4,3,3 !f:8", "dilations=8,4 pads=8,4,8,4", CONV, .dresses = PLAIN },
    { "Conv", 13, "f:1,8,16,16 !f:24,8,3,3 !f:24", "strides=2,2 pads=0,0,1,1", CONV, .dresses = SCALES },
    { "Conv", 13, "f:1,8,9,9 !f:24,8,2,4 !f:24", "strides=1,3 pads=1,0,0,2", CONV, .dresses = SCALES },
    { "Conv", 13, "f:1,12,10,10 !f:20,3,3,3 !f:20", "group=4 " SAME, CONV, .dresses = SCALES },
    { "Conv", 13, "f:1,20,6,6 !f:40,10,1,1", "group=2", CONV, .dresses = LAYOUTS },
    { "Conv", 13, "f:1,6,19 !f:7,6,3 !f:7", "pads=1,1", CONV, .dresses = PLAIN },
    { "Conv", 13, "f:1,6,40 !f:7,6,3 !f:7", "pads=0,2 strides=3, dilations=2,", CONV, .dresses = PLAIN },
    { "Conv", 13, "f:1,5,6,7 f:4,5,3,3 f:4", SAME, "conv_general", .dresses = PLAIN },
    { "Conv", 13, "f:1,5,6,7 f:10,1,3,3", "group=5 " SAME, "conv_general", .dresses = PLAIN },

    { "Conv", 13, "f:1,16,9,13 !f:16,1,3,3 !f:16", "group=16 " SAME,
      CONV " conv_depthwise conv_depthwise_rows conv_depthwise_wide", .dresses = SCALES | ADDED },
    { "Conv", 13, "f:1,19,8,7 !f:19,1,5,5", "group=19 pads=2,2,2,2", CONV " conv_depthwise conv_depthwise_rows conv_depthwise_wide", .dresses = SCALES },
    { "Conv", 13, "f:1,72,15,4 !f:72,1,3,3 !f:72", "group=72 strides=2,2 pads=0,0,1,1",
      CONV " conv_depthwise conv_depthwise_rows conv_depthwise_wide", .dresses = SCALES },
    { "Conv", 13, "f:1,33,11,11 !f:33,1,3,3 !f:33", "group=33 dilations=2,2 pads=2,2,2,2",
      CONV " conv_depthwise conv_depthwise_rows conv_depthwise_wide", .dresses = SCALES },

    { "Conv", 13, "f:1,16,33,41 !f:16,1,5,5 !f:16", "group=16 strides=2,1 pads=2,2,2,2", "conv_depthwise_rows", .dresses = SCALES },
    { "Conv", 13, "f:1,37,9,1 !f:37,1,3,3 !f:37", "group=37 " SAME, "conv_depthwise_rows", .dresses = SCALES },
    { "Conv", 13, "f:1,24,6,3 !f:24,1,3,3 !f:24", "group=24 strides=1,2 " SAME, "conv_depthwise_rows", .dresses = SCALES },

    { "Conv", 13, "f:1,24,13,10 !f:24,1,4,4 !f:24", "group=24 pads=2,2,1,1", "conv_depthwise_wide", .dresses = SCALES },
    { "Conv", 13, "f:1,40,11,19 !f:40,1,3,3", "group=40 dilations=2,3 pads=2,3,2,3", "conv_depthwise_wide", .dresses = SCALES },

    /* ---- two convolutions in one launch: rows in several bands, one row, more rows than the ring */
    { "Conv", 13, "f:1,3,37,13 !f:16,3,1,1 !f:16", "", "conv_expanded", .dresses = POOLED },
    { "Conv", 13, "f:1,19,8,41 !f:40,19,1,1", "", "conv_expanded", .dresses = POOLED },
    { "Conv", 13, "f:1,19,36,42 !f:40,19,1,1", "", "conv_expanded", .dresses = POOLED | KEPT },
    { "Conv", 13, "f:1,24,8,14 !f:16,24,1,1 !f:16", "", "conv_expanded", .dresses = KEPT },
    { "Conv", 13, "f:1,16,1,5 !f:72,16,1,1 !f:72", "", "conv_expanded", .dresses = EXPANDED },
    { "Conv", 13, "f:1,24,70,3 !f:10,24,1,1 !f:10", "", "conv_expanded", .dresses = POOLED },
    { "Conv", 13, "f:1,40,19,13 !f:1,40,1,1 !f:1", "", "conv_expanded", .dresses = EXPANDED },
    { "Conv", 13, "f:1,21,8,9 !f:3,21,1,1 !f:3", "", "conv_expanded", .dresses = EXPANDED },
    { "Conv", 13, "f:1,16,19,23 !f:16,1,3,3 !f:16", "group=16 " SAME, "conv_separable", .dresses = SEPARABLE },
    { "Conv", 13, "f:1,37,9,9 !f:37,1,5,5", "group=37 strides=2,2 pads=2,2,2,2", "conv_separable", .dresses = SEPARABLE },
    { "Conv", 13, "f:1,5,13,2 !f:5,1,3,3 !f:5", "group=5 " SAME, "conv_separable", .dresses = SEPARABLE },
    { "Conv", 13, "f:1,40,1,1 !f:24,40,1,1 !f:24", "", "conv_points", .dresses = SEPARABLE },
    { "Conv", 13, "f:1,3,1,1 !f:7,3,1,1", "", "conv_points", .dresses = SEPARABLE },

    /* ---- inverted residuals: one pixel, maps smaller and larger than a tile, several chunks, several
     * tiles of outputs */
#define INVERTED_TILES "conv_inverted conv_inverted:8x16 conv_inverted:8x8 conv_inverted:4x8"
    { "Conv", 13, "f:1,16,17,18 !f:40,16,1,1 !f:40", "", INVERTED_TILES, .dresses = INVERTED },
    { "Conv", 13, "f:1,3,9,13 !f:144,3,1,1 !f:144", "", "conv_inverted:split conv_inverted:4x8", .dresses = INVERTED },
    { "Conv", 13, "f:1,40,7,9 !f:136,40,1,1", "", "conv_inverted:split conv_inverted:8x8", .dresses = INVERTED },
    { "Conv", 13, "f:1,16,1,1 !f:32,16,1,1 !f:32", "", "conv_inverted", .dresses = INVERTED },
    { "Conv", 13, "f:1,24,5,20 !f:8,24,1,1 !f:8", "", "conv_inverted", .dresses = INVERTED },
    { "Conv", 13, "f:1,48,19,23 !f:48,1,3,3 !f:48", "group=48 " SAME, INVERTED_TILES, .dresses = PROJECTED },
    { "Conv", 13, "f:1,192,9,17 !f:192,1,3,3", "group=192 strides=2,2 pads=0,0,1,1", "conv_inverted:split conv_inverted:8x8 conv_inverted:4x8", .dresses = PROJECTED },
    { "Conv", 13, "f:1,8,11,9 !f:8,1,5,5 !f:8", "group=8 strides=1,3 pads=2,2,2,2", "conv_inverted", .dresses = PROJECTED },

    /* ---- a slope for each channel, by every kernel that ends so */
#define SLOPES (1u << DRESS_PRELU)
    { "Conv", 13, "f:1,24,9,11 !f:16,24,3,3 !f:16", SAME, WINOGRAD " conv_tiled conv_tensor conv_wgmma conv_halo", .dresses = SLOPES },
    { "Conv", 13, "f:1,24,9,11 !f:3,24,1,1", "", "conv_few conv_narrow", .dresses = SLOPES },
    { "Conv", 13, "f:1,16,9,11 !f[0.5,0.5]:16,1,3,3 !f:16", "group=16 " SAME,
      "conv_depthwise conv_depthwise_wide conv_fir", .dresses = SLOPES },

    /* ---- a sigmoid of some channels, likewise */
#define HEADS (1u << DRESS_HEADS)
    { "Conv", 13, "f:1,24,9,11 !f:16,24,3,3 !f:16", SAME, CONV " conv_winograd_fused conv_tiled conv_tensor conv_wgmma conv_halo", .dresses = HEADS },
    { "Conv", 13, "f:1,24,9,11 !f:1,24,1,1 !f:1", "", "conv_few conv_narrow", .dresses = HEADS },
    { "Conv", 13, "f:1,24,9,11 !f:19,24,1,1", "", "conv_pointwise", .dresses = HEADS },

    /* ---- outer products; transposed ones of a few channels */
    { "Conv", 13, "f:1,24,13,10 !f[0.25,0.25]:24,1,4,4", "group=24 pads=2,2,1,1", "conv_fir", .dresses = SCALES },
    { "Conv", 13, "f:1,16,9,19 !f[0.5,0.5]:16,1,3,2 !f:16", "group=16 pads=1,0,1,1", "conv_fir", .dresses = SCALES },
    { "Conv", 13, "f:1,8,3,2 !f[0.25,0.25]:8,1,5,8", "group=8 pads=4,7,4,7", "conv_fir", .dresses = PLAIN },
    { "ConvTranspose", 13, "f:1,3,5,7 !f:3,1,4,4", "group=3 strides=2,2 " SAME, "conv_fir_up", .dresses = SCALES },
    { "ConvTranspose", 13, "f:1,5,6,4 !f:5,1,3,5 !f:5", "group=5 strides=3,2 output_padding=1,0", "conv_fir_up", .dresses = SCALES },
    { "ConvTranspose", 13, "f:1,2,4,5 !f:2,1,2,2", "group=2 strides=3,4", "conv_fir_up", .dresses = PLAIN },

    /* ---- a few outputs, at 1, 2, 4 and 8 work-items per pixel */
    { "Conv", 13, "f:1,8,9,7 !f:1,8,3,3 !f:1", SAME, "conv_few", .dresses = SCALES },
    { "Conv", 13, "f:1,16,33,31 !f:3,16,1,1", "", "conv_few", .dresses = SCALES },
    { "Conv", 13, "f:1,64,181,183 !f:2,64,3,3 !f:2", SAME, "conv_few", .dresses = PLAIN },
    { "Conv", 13, "f:1,40,9,7 !f:8,40,1,1 !f:8", "", "conv_few", .dresses = SCALES },
    { "Conv", 13, "f:1,72,9,7 !f:5,72,3,3 !f:5", "strides=2,2 dilations=2,1 " SAME, "conv_few", .dresses = SCALES },

    /* ---- tiles of a GPU without them */
    { "Conv", 13, "f:1,3,17,13 !f:32,3,3,3 !f:32", "strides=2,2 " SAME, "conv_tiled", .dresses = SCALES },
    { "Conv", 13, "f:1,17,13,21 !f:67,17,3,3", "dilations=2,1 " SAME, "conv_tiled", .dresses = SCALES },
    { "Conv", 13, "f:1,40,9,7 !f:12,40,1,1 !f:12", "", "conv_tiled", .dresses = SCALES | ADDED },
    { "ConvTranspose", 13, "f:1,6,5,3 !f:6,20,4,4 !f:20", "strides=2,2 " SAME, "conv_tiled", .dresses = PLAIN },
    { "Conv", 13, "f:1,24,13,11 !f:136,24,3,3 !f:136", "strides=1,2 " SAME, "conv_tiled conv_tiled:128x128 "
      "conv_tiled:128x64 conv_tiled:64x64 conv_tiled:128x32 conv_tiled:64x32 conv_tiled:128x16",
      .dresses = PLAIN | 1u << DRESS_EPILOGUE | 1u << DRESS_SCALED },
    { "Conv", 13, "f:1,19,9,8 !f:35,19,1,1", "", "conv_tiled:128x128 conv_tiled:64x64 conv_tiled:128x32 "
      "conv_tiled:64x32", .dresses = PLAIN },
    { "Conv", 13, "f:1,72,5,9 !f:40,72,3,3 !f:40", SAME, "conv_tiled:split", .dresses = SCALES | ADDED },
    { "Conv", 13, "f:1,35,11,13 !f:16,35,3,3 !f:16", SAME, "conv_tiled", .dresses = SCALES },
    { "Conv", 13, "f:1,300,3,2 !f:19,300,1,1", "", "conv_tiled:split", .dresses = PLAIN },
    { "Conv", 13, "f:1,20,3,5 !f:9,20,1,1", "", "conv_tiled", .dresses = PLAIN },

    /* ---- tensor cores: channels that fill no step, several taps a step, every tile */
    { "Conv", 13, "f:1,3,17,13 !f:32,3,3,3 !f:32", "strides=2,2 " SAME, "conv_tensor", .dresses = SCALES },
    { "Conv", 13, "f:1,16,9,11 !f:16,16,3,3 !f:16", SAME, "conv_tensor", .dresses = SCALES | ADDED | HALVED | NORMED | NORMED_FEW },
    { "Conv", 13, "f:1,40,9,13 !f:24,40,3,3", "dilations=2,2 pads=2,2,2,2", "conv_tensor", .dresses = SCALES },
    { "Conv", 13, "f:1,72,7,7 !f:48,72,1,1 !f:48", "", "conv_tensor", .dresses = SCALES },
    { "Conv", 13, "f:1,40,15,11 !f:136,40,3,3 !f:136", SAME, "conv_tensor conv_tensor:128x128 conv_tensor:128x96 "
      "conv_tensor:128x64 conv_tensor:256x32 conv_tensor:128x32 "
      "conv_tensor:256x16 conv_tensor:128x16 conv_tensor:small",
      .dresses = PLAIN | 1u << DRESS_EPILOGUE | 1u << DRESS_SCALED },
    { "Conv", 13, "f:1,96,5,9 !f:72,96,3,3 !f:72", SAME, "conv_tensor", .dresses = PLAIN | 1u << DRESS_EPILOGUE | 1u << DRESS_SCALED | NORMED },
    { "Conv", 13, "f:1,24,9,7 !f:136,24,1,1", "", "conv_tensor", .dresses = PLAIN | 1u << DRESS_EPILOGUE | 1u << DRESS_SCALED },

    /* ---- few channels: several tiles to walk over, several of outputs, filters of other sizes */
    { "Conv", 13, "f:1,3,37,29 !f:32,3,3,3 !f:32", "strides=2,2 " SAME, "conv_first", .dresses = SCALES | ADDED },
    { "Conv", 13, "f:1,3,19,35 !f:72,3,3,3 !f:72", SAME, "conv_first", .dresses = PLAIN | 1u << DRESS_EPILOGUE | 1u << DRESS_SCALED },
    { "Conv", 13, "f:1,4,11,17 !f:16,4,4,4", "strides=1,2 pads=2,1,1,2", "conv_first", .dresses = PLAIN },
    { "Conv", 13, "f:1,3,9,40 !f:64,3,1,1 !f:64", "", "conv_first", .dresses = PLAIN },
    { "Conv", 13, "f:1,3,9,21 !f:8,3,2,5", "strides=2,1 pads=0,2,1,2", "conv_first", .dresses = PLAIN },

    /* ---- warpgroups: blocks of channels, channels that fill no step, parts of a tile, every tile */
    { "Conv", 13, "f:1,128,5,9 !f:136,128,3,3 !f:136", SAME, "conv_wgmma", .dresses = PLAIN | 1u << DRESS_EPILOGUE | 1u << DRESS_SCALED | ADDED },
    { "Conv", 13, "f:1,24,12,11 !f:64,24,3,3", "strides=2,1 dilations=1,2 pads=1,0,1,1", "conv_wgmma "
      "conv_wgmma:128x256", .dresses = PLAIN | 1u << DRESS_EPILOGUE | 1u << DRESS_SCALED | NORMED },
    { "Conv", 13, "f:1,64,13,20 !f:72,64,1,1 !f:72", "", "conv_wgmma:128x256 conv_wgmma:128x128 conv_wgmma:128x128deep "
      "conv_wgmma:128x64 conv_wgmma:128x64deep", .dresses = PLAIN },
    { "ConvTranspose", 13, "f:1,24,5,7 !f:24,72,3,3 !f:72", "strides=2,2", "conv_wgmma", .dresses = PLAIN },

    /* ---- patches with a margin: several tiles and blocks, filters of other sizes, every tile */
    { "Conv", 13, "f:1,16,19,18 !f:16,16,3,3 !f:16", SAME, "conv_halo conv_halo:16x16 conv_halo:8x16", .dresses = PLAIN | HALVED | NORMED | NORMED_FEW },
    { "Conv", 13, "f:1,24,17,9 !f:32,24,3,3 !f:32", "pads=0,2,1,0", "conv_halo conv_halo:16x32 conv_halo:8x32",
      .dresses = PLAIN | 1u << DRESS_EPILOGUE | 1u << DRESS_SCALED | ADDED | HALVED | NORMED },
    { "Conv", 13, "f:1,136,9,21 !f:72,136,3,3 !f:72", SAME, "conv_halo:8x256 conv_halo:8x128 conv_halo:8x128deep "
      "conv_halo:16x64 conv_halo:8x64 conv_halo:16x32", .dresses = PLAIN | NORMED },
    { "Conv", 13, "f:1,264,8,16 !f:72,264,3,3 !f:72", SAME, "conv_halo", .dresses = PLAIN | 1u << DRESS_EPILOGUE | 1u << DRESS_SCALED | ADDED | HALVED },
    { "Conv", 13, "f:1,40,9,12 !f:40,40,5,5", "pads=2,2,2,2", "conv_halo", .dresses = PLAIN },
    { "ConvTranspose", 13, "f:1,72,5,7 !f:72,16,4,4 !f:16", "strides=2,2 " SAME, "conv_halo", .dresses = PLAIN },

    /* ---- maps that are enlarged as they are loaded: next to others, alone, in several blocks */
    { "Conv", 13, "f:1,16,19,18 !f:16,16,3,3 !f:16", SAME, "conv_halo:16x16 conv_held", .dresses = ENLARGED },
    { "Conv", 13, "f:1,8,7,37 !f:16,8,3,3", "pads=0,2,1,0", "conv_halo conv_held", .dresses = ENLARGED },
    { "Conv", 13, "f:1,48,13,33 !f:24,48,3,3 !f:24", SAME, "conv_halo:16x32 conv_held:3", .dresses = ENLARGED },
    { "Conv", 13, "f:1,64,43,20 !f:64,64,2,5", "pads=1,2,0,2", "conv_halo conv_held", .dresses = ENLARGED },
    { "Conv", 13, "f:1,40,2,5 !f:40,40,3,3", SAME, "conv_halo conv_held", .dresses = ENLARGED },
    { "Conv", 13, "f:1,136,10,17 !f:72,136,3,3 !f:72", "pads=1,0,2,1", "conv_halo:8x256 conv_halo:8x128 "
      "conv_halo:16x64", .dresses = 1u << DRESS_ENLARGED },
    { "Conv", 13, "f:1,256,9,18 !f:264,256,1,3", "pads=0,1,0,1", "conv_halo", .dresses = ENLARGED },

    /* ---- maps that are normalised as they are loaded: where they lie, and enlarged; the second also in
     * several blocks */
    { "Conv", 13, "f:1,16,19,18 !f:16,16,3,3 !f:16", SAME, "conv_halo conv_halo:8x16 conv_held", .dresses = NORMED_CONV },
    { "Conv", 13, "f:1,24,11,20 !f:40,24,3,3", SAME, "conv_halo conv_held conv_held:3", .dresses = NORMED_CONV },
    { "Conv", 13, "f:1,8,7,9 !f:64,8,1,3 !f:64", "pads=0,1,0,1", "conv_halo conv_held", .dresses = NORMED_CONV },
    { "Conv", 13, "f:1,8,9,7 !f:128,8,3,3", SAME, "conv_halo", .dresses = 1u << DRESS_NORMED_ENLARGED },
    { "Conv", 13, "f:1,8,5,9 !f:104,8,3,3", SAME, "conv_halo", .dresses = 1u << DRESS_NORMED_ENLARGED },

    /* ---- weights that stay: tiles enough for several rounds, blocks and widths of all kinds */
    { "Conv", 13, "f:1,16,43,35 !f:16,16,3,3 !f:16", SAME, "conv_held", .dresses = PLAIN },
    { "Conv", 13, "f:1,24,33,17 !f:40,24,3,3 !f:40", "pads=0,2,1,0", "conv_held conv_held:3",
      .dresses = PLAIN | 1u << DRESS_EPILOGUE | 1u << DRESS_SCALED | ADDED | HALVED | NORMED },
    { "Conv", 13, "f:1,64,19,33 !f:32,64,3,3 !f:32", SAME, "conv_held conv_held:2", .dresses = PLAIN | HALVED | NORMED | NORMED_FEW },
    { "ConvTranspose", 13, "f:1,40,9,17 !f:40,16,4,4 !f:16", "strides=2,2 " SAME, "conv_held", .dresses = PLAIN },

    /* ---- four phases at once: of 4, 2, 2 and 1 taps; of as many each, cut into parts; of none */
    { "ConvTranspose", 13, "f:1,72,9,7 !f:72,72,3,3 !f:72", "strides=2,2", "conv_wgmma_phases conv_tensor_phases",
      .dresses = PLAIN | 1u << DRESS_EPILOGUE | 1u << DRESS_SCALED },
    { "ConvTranspose", 13, "f:1,264,4,5 !f:264,64,4,4", "strides=2,2 " SAME, "conv_wgmma_phases conv_tensor_phases",
      .dresses = PLAIN | 1u << DRESS_SCALED },
    { "ConvTranspose", 13, "f:1,40,13,11 !f:40,24,1,1 !f:24", "strides=2,2", "conv_tensor_phases", .dresses = PLAIN },

    { "ConvTranspose", 13, "f:1,8,5,7 !f:8,17,2,2 !f:17", "strides=2,2", CONV, .dresses = SCALES },
    { "ConvTranspose", 13, "f:1,16,5,7 !f:16,1,2,2 !f:1", "strides=2,2", CONV " conv_narrow", .dresses = SCALES },
    { "ConvTranspose", 13, "f:1,6,5,9 !f:6,1,3,4", "strides=2,4 pads=1,0,0,0", CONV " conv_narrow", .dresses = EPILOGUES },
    { "ConvTranspose", 13, "f:1,5,4,4 !f:5,3,3,3", "strides=2,2", CONV, .dresses = SCALES },
    { "ConvTranspose", 13, "f:1,6,5,3 !f:6,20,4,4 !f:20", "strides=2,2 " SAME, CONV, .dresses = SCALES },
    { "ConvTranspose", 13, "f:1,6,5,3 !f:6,4,3,3 !f:8", "strides=2,3 group=2 " SAME
      " output_padding=1,1", CONV, .dresses = SCALES },
    { "ConvTranspose", 13, "f:1,4,6,5 !f:4,9,3,3 !f:9", "dilations=2,2", CONV, .dresses = PLAIN },
    { "ConvTranspose", 13, "f:1,4,6,5 !f:4,9,2,2 !f:9", "strides=3,3 output_shape=18,15", CONV, .dresses = PLAIN },
    { "ConvTranspose", 13, "f:1,4,6,5 !f:4,3,3,3", "strides=4,2 dilations=2,3", CONV, .dresses = PLAIN },
    { "ConvTranspose", 13, "f:1,3,11 !f:3,5,4 !f:5", "strides=2, pads=1,1", CONV, .dresses = PLAIN },
    { "ConvTranspose", 13, "f:1,3,4,4 f:3,5,3,3", "strides=2,2", "conv_general", .dresses = PLAIN },

    /* ---- pools */
    { "MaxPool", 12, "f:1,16,9,7", "kernel_shape=2,2 strides=2,2 ceil_mode=1", "pool_general pool_vector pool_wide", .dresses = LAYOUTS },
    { "MaxPool", 12, "f:1,21,8,8", "kernel_shape=3,3 strides=2,2 " SAME, "pool_general pool_vector pool_wide", .dresses = LAYOUTS },
    { "MaxPool", 12, "f:1,3,9,9", "kernel_shape=3,3 dilations=2,2", "pool_general", .dresses = LAYOUTS },
    { "MaxPool", 12, "f:1,3,9", "kernel_shape=2, strides=2,", "pool_general", .dresses = PLAIN },
    { "MaxPool", 12, "f:1,3,5,6", "kernel_shape=2,2 strides=2,1", "pool_general", .dresses = PLAIN, .n_outputs = 2 },
    { "MaxPool", 12, "B[0,255]:1,3,5,6", "kernel_shape=2,2", "pool_general", .dresses = PLAIN },
    { "MaxPool", 12, "f:1,40,15,13", "kernel_shape=3,2 strides=2,1 dilations=1,2 " SAME, "pool_general pool_vector pool_wide", .dresses = LAYOUTS },
    { "AveragePool", 11, "f:1,24,9,7", "kernel_shape=3,3 strides=2,2 ceil_mode=1 " SAME, "pool_wide", .dresses = PLAIN },
    { "AveragePool", 11, "f:1,17,9,7", "kernel_shape=3,3 strides=2,2 ceil_mode=1 " SAME, "pool_general pool_vector pool_wide", .dresses = LAYOUTS },
    { "AveragePool", 11, "f:1,8,9,7", "kernel_shape=3,3 count_include_pad=1 " SAME, "pool_general pool_vector pool_wide", .dresses = LAYOUTS },
    { "AveragePool", 11, "f:1,32,9,7", "kernel_shape=9,7", "reduce_general reduce_columns reduce_whole reduce_group", .dresses = LAYOUTS },
    { "LpPool", 11, "f:1,5,6,7", "kernel_shape=2,3 p=3", "pool_general pool_vector pool_wide", .dresses = LAYOUTS },
    { "GlobalAveragePool", 13, "f:1,37,31,33", "", "reduce_general reduce_columns reduce_whole reduce_group", .dresses = LAYOUTS },
    { "GlobalAveragePool", 13, "f:1,16,90,100", "", "reduce_group", .dresses = LAYOUTS },
    { "GlobalMaxPool", 13, "f:1,16,5,3", "", "reduce_general reduce_columns reduce_whole reduce_group", .dresses = LAYOUTS },
    { "GlobalLpPool", 13, "f:1,16,5,3", "p=2", "reduce_general reduce_columns reduce_whole reduce_group", .dresses = LAYOUTS },

    /* ---- elements */
#define ROWS "elementwise_general elementwise_rows elementwise_wide"
    { "Add", 13, "f:1,16,5,7 f:1,16,5,7", "", ROWS, .dresses = LAYOUTS },
    { "Add", 13, "f:1,19,5,7 f:1,19,1,1", "", ROWS, .dresses = LAYOUTS },
    { "Sub", 13, "f:1,3,4 !f:3,1", "", ROWS, .dresses = PLAIN },
    { "Mul", 13, "f:1,20,5,7 f:1,1,5,7", "", ROWS, .dresses = LAYOUTS },
    { "Mul", 13, "f:2,3,4,5,6 f:1,3,1,1,6", "", ROWS, .dresses = PLAIN },
    { "Mul", 13, "f:5000 !sf=0.5", "", ROWS, .dresses = PLAIN },
    { "Div", 13, "f:1,20,5,7 f[1,2]:20,1,1", "", ROWS, .dresses = LAYOUTS },
    { "Div", 13, "l[-9,9]:40 l[-3,3]:40", "", "", .dresses = PLAIN },
    { "Div", 13, "B[0,255]:40 B[0,3]:40", "", "", .dresses = PLAIN },
    { "Mod", 13, "l[-9,9]:40 l[-3,3]:40", "", "", .dresses = PLAIN },
    { "Mod", 13, "i[-9,9]:40 i[-3,3]:40", "fmod=1", "", .dresses = PLAIN },
    { "Mod", 13, "f[-9,9]:40 f[1,3]:40", "fmod=1", "", .dresses = PLAIN },
    { "Pow", 13, "f[0,2]:1,16,5 !sf=2", "", ROWS, .dresses = PLAIN },
    { "Pow", 13, "f[0,2]:1,16,5 !sf=0.5", "", ROWS, .dresses = PLAIN },
    { "Pow", 13, "f[0.1,2]:1,16,5 f:1,16,5", "", ROWS, .dresses = PLAIN },
    { "Pow", 13, "i[-3,3]:40 i[-1,4]:40", "", "", .dresses = PLAIN },
    { "Max", 13, "f:1,16,5 f:1,16,1 f:5 f:1,1,1", "", ROWS, .dresses = PLAIN },
    { "Min", 13, "i[-9,9]:3,16 i[-9,9]:16", "", "", .dresses = PLAIN },
    { "Sum", 13, "f:1,16,5 f:1,16,1 f:5", "", ROWS, .dresses = PLAIN },
    { "Mean", 13, "f:1,16,5 f:1,16,1 f:5", "", ROWS, .dresses = PLAIN },
    { "Max", 13, "f:1,16,5", "", ROWS, .dresses = PLAIN },
    { "Abs", 13, "f:1,17,3,3", "", ROWS, .dresses = LAYOUTS },
    { "Neg", 13, "f:33", "", ROWS, .dresses = PLAIN },
    { "Neg", 13, "l[-9,9]:33", "", "", .dresses = PLAIN },
    { "Sign", 13, "f:33", "", "", .dresses = PLAIN },
    { "Relu", 13, "f:1,17,3,3", "", ROWS, .dresses = LAYOUTS },
    { "LeakyRelu", 13, "f:33", "alpha=0.1", ROWS, .dresses = PLAIN },
    { "PRelu", 13, "f:1,17,3,3 !f:17,1,1", "", ROWS, .dresses = LAYOUTS },
    { "Clip", 13, "f[-9,9]:1,17,3,3 !sf=0 !sf=6", "", ROWS, .dresses = LAYOUTS },
    { "Clip", 13, "f[-9,9]:40 - !sf=6", "", ROWS, .dresses = PLAIN },
    { "Clip", 13, "f[-9,9]:40 f:1", "", "", .dresses = PLAIN },
    { "Clip", 13, "l[-9,9]:40 !sl=-3", "", "", .dresses = PLAIN },
    { "Clip", 10, "f[-9,9]:40", "min=-1.5 max=2.5", ROWS, .dresses = PLAIN },
    { "Ceil", 13, "f[-9,9]:33", "", ROWS, .dresses = PLAIN },
    { "Floor", 13, "f[-9,9]:33", "", ROWS, .dresses = PLAIN },
    { "Round", 13, "f[-9,9]:33", "", ROWS, .dresses = PLAIN },
    { "Sqrt", 13, "f[0,9]:33", "", ROWS, .dresses = PLAIN },
    { "Reciprocal", 13, "f[1,9]:33", "", ROWS, .dresses = PLAIN },
    { "Exp", 13, "f[-9,9]:33", "", ROWS, .dresses = PLAIN },
    { "Log", 13, "f[0.1,9]:33", "", ROWS, .dresses = PLAIN },
    { "Erf", 13, "f[-3,3]:33", "", ROWS, .dresses = PLAIN },
    { "Sin", 13, "f[-9,9]:33", "", ROWS, .dresses = PLAIN },
    { "Cos", 13, "f[-9,9]:33", "", ROWS, .dresses = PLAIN },
    { "Tan", 13, "f:33", "", ROWS, .dresses = PLAIN },
    { "Asin", 13, "f:33", "", ROWS, .dresses = PLAIN },
    { "Acos", 13, "f:33", "", ROWS, .dresses = PLAIN },
    { "Atan", 13, "f:33", "", ROWS, .dresses = PLAIN },
    { "Sinh", 13, "f:33", "", ROWS, .dresses = PLAIN },
    { "Cosh", 13, "f:33", "", ROWS, .dresses = PLAIN },
    { "Tanh", 13, "f[-9,9]:1,17,3,3", "", ROWS, .dresses = LAYOUTS },
    { "Asinh", 13, "f:33", "", ROWS, .dresses = PLAIN },
    { "Acosh", 13, "f[1,9]:33", "", ROWS, .dresses = PLAIN },
    { "Atanh", 13, "f[-0.9,0.9]:33", "", ROWS, .dresses = PLAIN },
    { "Sigmoid", 13, "f[-9,9]:1,17,3,3", "", ROWS, .dresses = LAYOUTS },
    { "HardSigmoid", 13, "f[-9,9]:33", "alpha=0.3 beta=0.4", ROWS, .dresses = PLAIN },
    { "HardSwish", 14, "f[-9,9]:1,17,3,3", "", ROWS, .dresses = LAYOUTS },
    { "Elu", 13, "f:33", "alpha=0.7", ROWS, .dresses = PLAIN },
    { "Celu", 13, "f:33", "alpha=0.7", ROWS, .dresses = PLAIN },
    { "Selu", 13, "f:33", "", ROWS, .dresses = PLAIN },
    { "Softplus", 13, "f[-40,40]:33", "", ROWS, .dresses = PLAIN },
    { "Softsign", 13, "f:33", "", ROWS, .dresses = PLAIN },
    { "Mish", 18, "f[-9,9]:33", "", ROWS, .dresses = PLAIN },
    { "Gelu", 20, "f[-3,3]:33", "", ROWS, .dresses = PLAIN },
    { "Gelu", 20, "f[-3,3]:33", "approximate=tanh", ROWS, .dresses = PLAIN },
    { "ThresholdedRelu", 13, "f[-3,3]:33", "alpha=0.5", "", .dresses = PLAIN },
    { "Shrink", 13, "f[-3,3]:33", "bias=0.25 lambd=0.75", "", .dresses = PLAIN },
    { "Not", 13, "b[0,1]:33", "", "", .dresses = PLAIN },
    { "And", 13, "b[0,1]:33 b[0,1]:1", "", "", .dresses = PLAIN },
    { "Or", 13, "b[0,1]:33 b[0,1]:33", "", "", .dresses = PLAIN },
    { "Xor", 13, "b[0,1]:33 b[0,1]:33", "", "", .dresses = PLAIN },
    { "Equal", 13, "f[-2,2]:1,4,5 f[-2,2]:1,4,1", "", "", .dresses = PLAIN },
    { "Equal", 13, "l[-2,2]:33 l[-2,2]:33", "", "", .dresses = PLAIN },
    { "Less", 13, "f:33 f:33", "", "", .dresses = PLAIN },
    { "GreaterOrEqual", 16, "i[-2,2]:33 i[-2,2]:33", "", "", .dresses = PLAIN },
    { "BitShift", 13, "B[0,255]:33 B[0,9]:33", "direction=LEFT", "", .dresses = PLAIN },
    { "BitwiseXor", 18, "i[-99,99]:33 i[-99,99]:33", "", "", .dresses = PLAIN },
    { "BitwiseNot", 18, "B[0,255]:33", "", "", .dresses = PLAIN },
    { "IsNaN", 13, "f:33", "", "", .dresses = PLAIN },
    { "Where", 13, "b[0,1]:1,4,1 f:1,4,5 f:5", "", "", .dresses = PLAIN },
    { "Where", 13, "b[0,1]:4 l[-9,9]:4 l[-9,9]:4", "", "", .dresses = PLAIN },
    { "Cast", 13, "f[-300,300]:33", "to=2", "", .dresses = PLAIN },
    { "Cast", 13, "f[-300,300]:33", "to=3", "", .dresses = PLAIN },
    { "Cast", 13, "f[-2,2]:33", "to=9", "", .dresses = PLAIN },
    { "Cast", 13, "f[-300,300]:33", "to=7", "", .dresses = PLAIN },
    { "Cast", 13, "l[-300,300]:33", "to=1", "", .dresses = PLAIN },
    { "Cast", 13, "l[-300,300]:33", "to=2", "", .dresses = PLAIN },

    /* ---- reductions */
#define COLUMNS "reduce_general reduce_columns reduce_whole reduce_group"
    { "ReduceMean", 13, "f:1,19,33,31", "axes=2,3", COLUMNS, .dresses = LAYOUTS },
    { "ReduceMean", 13, "f:1,19,5,7", "axes=1, keepdims=0", COLUMNS, .dresses = LAYOUTS },
    { "ReduceMean", 18, "f:1,19,5,7 !l=-1,1", "", COLUMNS, .dresses = LAYOUTS },
    { "ReduceSum", 13, "f:2,3,4,5,6 !l=2,3,4", "keepdims=0", COLUMNS, .dresses = PLAIN },
    { "ReduceSum", 13, "f:6,40 !l=0", "", COLUMNS, .dresses = PLAIN },
    { "ReduceSum", 13, "l[-9,9]:6,40 !l=0", "", "", .dresses = PLAIN },
    { "ReduceMax", 13, "f:1,19,5,7", "axes=1,", COLUMNS, .dresses = LAYOUTS },
    { "ReduceMin", 13, "i[-99,99]:6,7", "", "", .dresses = PLAIN },
    { "ReduceProd", 13, "f[0.5,1.5]:6,7", "axes=0,", COLUMNS, .dresses = PLAIN },
    { "ReduceL1", 13, "f:6,7", "axes=0,", COLUMNS, .dresses = PLAIN },
    { "ReduceL2", 13, "f:1,8,9,9", "axes=2,3", COLUMNS, .dresses = LAYOUTS },
    { "ReduceSumSquare", 13, "f:6,7", "axes=1,", COLUMNS, .dresses = PLAIN },
    { "ReduceLogSum", 13, "f[1,2]:6,7", "axes=0,", COLUMNS, .dresses = PLAIN },
    { "ReduceLogSumExp", 13, "f[-90,90]:6,7", "axes=0,", COLUMNS, .dresses = PLAIN },
    { "ArgMax", 13, "f:1,19,5,7", "axis=1", "", .dresses = LAYOUTS },
    { "ArgMax", 13, "i[0,3]:6,20", "axis=1 keepdims=0 select_last_index=1", "", .dresses = PLAIN },
    { "ArgMin", 13, "i[0,3]:6,20", "axis=-1", "", .dresses = PLAIN },
    { "CumSum", 14, "f:3,20,2 !sl=1", "", "", .dresses = PLAIN },
    { "CumSum", 14, "f:3,20,2 !sl=1", "reverse=1 exclusive=1", "", .dresses = PLAIN },

    { "Softmax", 13, "f[-9,9]:1,19,5,7", "axis=1", "", .dresses = LAYOUTS },
    { "Softmax", 13, "f[-9,9]:3,40", "", "", .dresses = PLAIN },
    { "Softmax", 11, "f[-9,9]:1,19,5,7", "axis=1", "", .dresses = LAYOUTS },
    { "LogSoftmax", 13, "f[-9,9]:3,40", "axis=0", "", .dresses = PLAIN },
    { "Hardmax", 13, "f[-9,9]:3,40", "", "", .dresses = PLAIN },

    /* ---- products */
#define MATMUL "matmul_general matmul_vector matmul_wide"
    { "MatMul", 13, "f:5,7 f:7,17", "", MATMUL, .dresses = PLAIN },
    { "MatMul", 13, "f:1,12,16,33 f:33,19", "", MATMUL, .dresses = PLAIN },
    { "MatMul", 13, "f:2,1,9,7 f:3,7,33", "", MATMUL, .dresses = PLAIN },
    { "MatMul", 13, "f:7 f:7,33", "", MATMUL, .dresses = PLAIN },
    { "MatMul", 13, "f:2,9,7 f:7", "", MATMUL, .dresses = PLAIN },
    { "MatMul", 13, "f:1,100 !f:100,64", "", MATMUL, .dresses = PLAIN },
    { "MatMul", 13, "f:2,8,130 !f:130,40", "", MATMUL, .dresses = PLAIN },
    { "MatMul", 13, "i[-9,9]:5,7 i[-9,9]:7,3", "", "", .dresses = PLAIN },
    { "Gemm", 13, "f:5,7 !f:17,7 !f:17", "transB=1", MATMUL, .dresses = PLAIN },
    { "Gemm", 13, "f:3,70 !f:48,70 !f:48", "transB=1 alpha=0.5 beta=2.0", MATMUL, .dresses = PLAIN },
    { "Gemm", 13, "f:7,9 f:7,19 f:9,1", "transA=1 alpha=0.5 beta=2.0", MATMUL, .dresses = PLAIN },
    { "Gemm", 13, "f:5,7 f:7,17", "", MATMUL, .dresses = PLAIN },

    /* ---- normalisations; a variance is the difference of two larger sums */
#define PARTS "norm_parts_general norm_parts_columns norm_parts_wide norm_whole"
    { "InstanceNormalization", 13, "f[3,5]:1,19,33,31 f:19 f:19", "", PARTS, .dresses = LAYOUTS, .tolerance = 1e-5 },
    { "InstanceNormalization", 13, "f:1,16,5,3 !f:16 !f:16", "epsilon=0.01", PARTS, .dresses = LAYOUTS },
    { "InstanceNormalization", 13, "f[3,5]:1,24,65,67 f:24 f:24", "", PARTS, .dresses = LAYOUTS, .tolerance = 1e-5 },
    { "InstanceNormalization", 13, "f:1,264,5,3 f:264 f:264", "", PARTS, .dresses = PLAIN },
    { "InstanceNormalization", 13, "f:1,16,50 !f:16 !f:16", "", PARTS, .dresses = PLAIN },
    { "Conv", 13, "f:1,8,31,33 !f:32,8,1,1", "", "norm_whole", .dresses = NORMED },
    { "BatchNormalization", 13, "f:1,19,5,3 !f:19 !f:19 !f:19 !f[1,2]:19", "", "", .dresses = LAYOUTS },
    { "BatchNormalization", 13, "f:1,19,5,3 f:19 f:19 f:19 f[1,2]:19", "", "", .dresses = LAYOUTS },
    { "GroupNormalization", 18, "f:1,12,5,3 !f:4 !f:4", "num_groups=4", "", .dresses = LAYOUTS },
    { "GroupNormalization", 21, "f:1,12,5,3 !f:12 !f:12", "num_groups=3", "", .dresses = LAYOUTS },
    { "LayerNormalization", 17, "f:1,9,37 !f:37 !f:37", "", "", .dresses = PLAIN },
    { "LayerNormalization", 17, "f:2,3,4,5 f:4,5", "axis=2", "", .dresses = PLAIN },
    { "MeanVarianceNormalization", 13, "f:1,16,5,7", "", PARTS, .dresses = LAYOUTS },
    { "MeanVarianceNormalization", 13, "f:2,3,4", "axes=0,2", "", .dresses = PLAIN },
    { "LpNormalization", 13, "f:1,16,5,7", "axis=1", "", .dresses = LAYOUTS },
    { "LpNormalization", 13, "f:3,16", "p=1", "", .dresses = PLAIN },
    { "LRN", 13, "f:1,19,5,7", "size=5 alpha=0.1", "", .dresses = LAYOUTS },

    /* ---- resizing */
#define MAP "resize_axis resize_map resize_wide"
#define SUMS (LAYOUTS | 1u << DRESS_EPILOGUE)
    { "Resize", 13, "f:1,19,5,7 - !f=1,1,2,2", "mode=linear", MAP, .dresses = SUMS },
    { "Resize", 13, "f:1,19,6,8 - !f=1,1,0.5,0.25", "mode=linear", MAP, .dresses = SUMS },
    { "Resize", 13, "f:1,3,5,7 - - !l=1,3,11,3", "mode=linear coordinate_transformation_mode=align_corners", MAP, .dresses = SUMS },
    { "Resize", 13, "f:1,3,5,7 - - !l=1,3,1,9", "mode=linear coordinate_transformation_mode=pytorch_half_pixel", MAP, .dresses = SUMS },
    { "Resize", 13, "f:1,1,9,7 - - !l=1,1,17,14", "mode=linear", "resize_joined", .dresses = SIDES },
    { "Resize", 13, "f:1,1,5,31 - - !l=1,1,13,20", "mode=linear coordinate_transformation_mode=align_corners", "resize_joined", .dresses = SIDES },
    { "Resize", 13, "f:1,16,5,7 - - !l=1,16,9,13", "mode=nearest nearest_mode=floor coordinate_transformation_mode=asymmetric", MAP, .dresses = SUMS },
    { "Resize", 13, "f:1,16,5,7 - !f=1,1,3,2", "mode=cubic", MAP, .dresses = SUMS },
    { "Resize", 13, "f:1,40,5,7 - - !l=1,40,9,6", "mode=linear", MAP, .dresses = SUMS },
    { "Resize", 18, "f:1,16,15,17 - !f=1,1,0.4,0.3", "mode=linear antialias=1", MAP, .dresses = SUMS },
    { "Resize", 13, "f:1,3,6,8 !f=0,0,0.2,-0.1,1,1,0.9,1.2 - !l=1,3,5,5", "mode=linear coordinate_transformation_mode=tf_crop_and_resize extrapolation_value=0.5", MAP, .dresses = SUMS },
    { "Resize", 13, "f:2,3,4 - !f=2,1,1.5", "mode=linear", "", .dresses = PLAIN },
    { "Resize", 13, "B[0,255]:1,2,3,4 - !f=1,1,2,2", "mode=nearest", "", .dresses = PLAIN },
    { "Upsample", 9, "f:1,16,3,4 !f=1,1,2,2", "mode=nearest", MAP, .dresses = PLAIN | 1u << DRESS_ROW_MAJOR | 1u << DRESS_EPILOGUE },

    /* ---- movement */
    { "Transpose", 13, "f:1,19,5,7", "perm=0,2,3,1", "", .dresses = LAYOUTS },
    { "Transpose", 13, "l[-9,9]:2,3,4,5,6", "perm=0,2,1,4,3", "", .dresses = PLAIN },
    { "Reshape", 13, "f:1,6,5,7 !l=1,35,6", "", "", .dresses = LAYOUTS },
    { "Reshape", 13, "f:1,16,5,7 !l=1,4,4,5,7", "", "", .dresses = LAYOUTS },
    { "Reshape", 13, "l[-9,9]:3,4 !l=2,6", "", "", .dresses = PLAIN },
    { "Flatten", 13, "f:1,6,5,7", "", "", .dresses = LAYOUTS },
    { "Slice", 13, "f:1,19,9,7 !l=1,2 !l=8,6 !l=1,2 !l=3,2", "", "", .dresses = LAYOUTS },
    { "Slice", 13, "f:1,19,9,7 !l=-1 !l=-20 !l=1 !l=-1", "", "", .dresses = PLAIN },
    { "Split", 13, "f:1,19,9,7 !l=4,15", "axis=1", "", .dresses = LAYOUTS, .n_outputs = 2 },
    { "Concat", 13, "f:1,19,4,3 !f:1,2,4,3 f:1,16,4,3", "axis=1", "", .dresses = LAYOUTS },
    { "Concat", 13, "f:1,19,4,3 f:1,19,2,3", "axis=2", "", .dresses = LAYOUTS },
    { "Concat", 13, "B[0,255]:4 B[0,255]:3", "axis=0", "", .dresses = PLAIN },
    { "Concat", 13, "!f=2.5 f:7 !f=2.5", "axis=0", "", .dresses = PLAIN },
    { "Concat", 13, "!f=2.5 f:7 !f=1.5", "axis=0", "", .dresses = PLAIN },
    { "Expand", 13, "f:1,19,1,1 !l=1,19,4,3", "", "", .dresses = LAYOUTS },
    { "Expand", 13, "l[-9,9]:3,1 !l=2,1,4", "", "", .dresses = PLAIN },
    { "Tile", 13, "f:1,3,4,5 !l=1,2,3,1", "", "", .dresses = LAYOUTS },
    { "Pad", 13, "f:1,3,4,5 !l=0,0,1,2,0,1,3,0 !sf=0.5", "", "", .dresses = LAYOUTS },
    { "Pad", 13, "f:1,3,4,5 !l=0,0,2,2,0,0,1,3", "mode=reflect", "", .dresses = LAYOUTS },
    { "Pad", 13, "f:1,3,4,5 !l=0,0,2,2,0,0,1,-3", "mode=edge", "", .dresses = LAYOUTS },
    { "Pad", 19, "l[-9,9]:3,4 !l=0,2,0,1", "mode=wrap", "", .dresses = PLAIN },
    { "DepthToSpace", 13, "f:1,12,4,5", "blocksize=2", "", .dresses = LAYOUTS },
    { "DepthToSpace", 13, "f:1,12,4,5", "blocksize=2 mode=CRD", "", .dresses = LAYOUTS },
    { "SpaceToDepth", 13, "f:1,3,4,6", "blocksize=2", "", .dresses = LAYOUTS },
    { "Trilu", 14, "f:2,5,6", "upper=0", "", .dresses = PLAIN },
    { "Trilu", 14, "f:2,5,6 !sl=-2", "", "", .dresses = PLAIN },

    /* ---- gathering */
    { "Gather", 13, "f:1,19,4,3 !l=3,0,-1", "axis=1", "", .dresses = LAYOUTS },
    { "Gather", 13, "f:6,5 l[-6,5]:2,3", "", "", .dresses = PLAIN },
    { "Gather", 13, "l[-9,9]:6,5 i[-5,4]:2,3", "axis=1", "", .dresses = PLAIN },
    { "Gather", 13, "f:6,5 !sl=2", "", "", .dresses = PLAIN },
    { "GatherElements", 13, "f:6,5 l[-5,4]:4,7", "axis=1", "", .dresses = PLAIN },
    { "GatherND", 13, "f:4,5,6 l[-4,3]:3,2", "", "", .dresses = PLAIN },
    { "GatherND", 13, "f:4,5,6 l[-5,4]:4,1", "batch_dims=1", "", .dresses = PLAIN },
    { "ScatterElements", 18, "f:6,5 l[-6,5]:9,5 f:9,5", "reduction=add", "", .dresses = PLAIN },
    { "ScatterElements", 18, "l[-9,9]:6,5 l[-6,5]:9,5 l[-9,9]:9,5", "reduction=max", "", .dresses = PLAIN },
    { "ScatterND", 18, "f:6,5 l[-6,5]:4,1 f:4,5", "reduction=mul", "", .dresses = PLAIN },
    { "ScatterND", 18, "f:6,5,2 l[-5,4]:3,4,2 f:3,4,2", "reduction=add", "", .dresses = PLAIN },
    { "OneHot", 13, "l[-4,5]:3,2 !sl=4 !f=-1,2", "", "", .dresses = PLAIN },
    { "OneHot", 13, "l[0,3]:3,2 !sl=4 !f=-1,2", "axis=0", "", .dresses = PLAIN },

    /* ---- quantised: integers are exact */
    { "QuantizeLinear", 13, "f[-3,3]:1,19,5,7 !sf=0.02 !sB=100", "", "", .dresses = LAYOUTS },
    { "QuantizeLinear", 13, "f[-3,3]:1,3,5,7 !f=0.02,0.01,0.05 !c=0,3,-9", "axis=1", "", .dresses = LAYOUTS },
    { "DequantizeLinear", 13, "B[0,255]:1,3,5,7 !f=0.02,0.01,0.05 !B=0,3,200", "axis=1", "", .dresses = PLAIN },
    { "DequantizeLinear", 13, "i[-999,999]:40 !sf=0.5", "", "", .dresses = PLAIN },
    { "DynamicQuantizeLinear", 13, "f[-1,3]:40", "", "", .dresses = PLAIN, .n_outputs = 3 },
    { "ConvInteger", 13, "B[0,255]:1,5,6,7 !c[-128,127]:9,5,3,3 !sB=100", SAME, "", .dresses = PLAIN },
    { "ConvInteger", 13, "B[0,255]:1,6,6,7 !B[0,255]:4,3,3,3 - !sB=99", "group=2 strides=2,2", "", .dresses = PLAIN },
    { "MatMulInteger", 13, "B[0,255]:5,7 c[-128,127]:7,9 !sB=9 !c=1,2,3,4,5,6,7,8,9", "", "", .dresses = PLAIN },
    { "QLinearConv", 13, "B[0,255]:1,5,6,7 !sf=0.02 !sB=100 !c[-128,127]:3,5,3,3 !f=0.01,0.02,0.03 "
      "!c=0,1,2 !sf=0.2 !sB=120 !i[-999,999]:3", SAME, "", .dresses = PLAIN },
    { "QLinearMatMul", 13, "c[-128,127]:2,5,7 !sf=0.02 !sc=3 c[-128,127]:7,9 !sf=0.03 !sc=-2 !sf=0.1 !sc=5",
      "", "", .dresses = PLAIN },

    /* ---- three axes */
    { "Conv", 13, "f:1,3,5,6,7 !f:6,3,3,2,3 !f:6", "pads=1,0,2,0,1,1 strides=1,2,1 dilations=1,1,2", "", .dresses = PLAIN },
    { "Conv", 13, "f:2,4,3,4,5 f:6,2,1,2,2 f:6", "group=2", "", .dresses = PLAIN },
    { "ConvTranspose", 13, "f:2,4,3,4,2 !f:4,3,2,3,3 !f:6", "group=2 strides=2,1,3 pads=0,1,1,1,0,0 dilations=1,2,1", "", .dresses = PLAIN },
    { "MaxPool", 12, "f:2,3,5,6,7", "kernel_shape=2,3,2 strides=2,1,2 pads=0,1,0,1,0,1", "", .dresses = PLAIN, .n_outputs = 2 },
    { "MaxPool", 12, "f:1,3,5,6,7", "kernel_shape=2,2,2 storage_order=1", "", .dresses = PLAIN, .n_outputs = 2 },
    { "AveragePool", 11, "f:1,3,5,6,7", "kernel_shape=2,3,2 count_include_pad=1 ceil_mode=1 strides=2,2,2 pads=0,1,0,1,0,1", "", .dresses = PLAIN },
    { "AveragePool", 11, "f:1,3,5,6,7", "kernel_shape=3,3,2 pads=1,1,0,1,1,1", "", .dresses = PLAIN },
    { "LpPool", 11, "f:1,3,5,6,7", "kernel_shape=2,2,2 p=3", "", .dresses = PLAIN },

    /* ---- several maps in one tensor */
    { "Conv", 13, "f:3,16,9,11 !f:20,16,3,3 !f:20", SAME, WINOGRAD, .dresses = SCALES },
    { "Conv", 13, "f:2,16,9,7 !f:16,1,3,3 !f:16", "group=16 " SAME, CONV " conv_depthwise", .dresses = SCALES },
    { "Conv", 13, "f:2,5,19 !f:7,5,3 !f:7", "pads=1,1", CONV, .dresses = PLAIN },
    { "ConvTranspose", 13, "f:2,8,5,7 !f:8,17,2,2 !f:17", "strides=2,2", CONV, .dresses = SCALES },
    { "ConvInteger", 13, "B[0,255]:2,5,6,7 !c[-128,127]:9,5,3,3 !sB=100", SAME, "", .dresses = PLAIN },
    { "MaxPool", 12, "f:2,19,9,7", "kernel_shape=2,2 strides=2,2", "pool_general pool_vector", .dresses = LAYOUTS },
    { "MaxPool", 12, "f:2,3,9,7", "kernel_shape=2,2 strides=2,2", "", .dresses = PLAIN, .n_outputs = 2 },
    { "MaxPool", 12, "f:2,3,9", "kernel_shape=2, storage_order=1", "", .dresses = PLAIN, .n_outputs = 2 },
    { "AveragePool", 11, "f:3,8,9,7", "kernel_shape=3,3 " SAME, "pool_general pool_vector", .dresses = LAYOUTS },
    { "GlobalAveragePool", 13, "f:2,17,9,7", "", "reduce_general reduce_columns reduce_whole reduce_group", .dresses = LAYOUTS },
    { "InstanceNormalization", 13, "f:2,16,9,7 f:16 f:16", "", "", .dresses = LAYOUTS },
    { "GroupNormalization", 21, "f:2,12,5,7 f:12 f:12", "num_groups=3", "", .dresses = LAYOUTS },
    { "BatchNormalization", 13, "f:2,19,5,3 !f:19 !f:19 !f:19 !f[1,2]:19", "", "", .dresses = LAYOUTS },
    { "MeanVarianceNormalization", 13, "f:2,6,5,7", "", "", .dresses = LAYOUTS },
    { "LayerNormalization", 17, "f:2,3,5,7 f:5,7 f:5,7", "axis=2", "", .dresses = LAYOUTS, .n_outputs = 3 },
    { "LRN", 13, "f:3,7,5,7", "size=5 alpha=0.1", "", .dresses = LAYOUTS },
    { "LRN", 13, "f:2,7,5", "size=4 alpha=0.1", "", .dresses = PLAIN },
    { "Resize", 13, "f:2,19,5,7 - !f=1,1,2,2", "mode=linear", MAP, .dresses = LAYOUTS },
    { "Resize", 13, "f:2,3,5,7 - - !l=2,3,9,4", "mode=nearest", MAP, .dresses = LAYOUTS },
    { "DepthToSpace", 13, "f:2,12,3,5", "blocksize=2", "", .dresses = LAYOUTS },
    { "PRelu", 13, "f:2,17,3,3 !f:17,1,1", "", ROWS, .dresses = LAYOUTS },

    /* ---- ranked */
    { "TopK", 11, "f:3,4,37 !l=5", "", "", .dresses = PLAIN, .n_outputs = 2 },
    { "TopK", 11, "i[-3,3]:3,37,4 !l=37", "axis=1 largest=0", "", .dresses = PLAIN, .n_outputs = 2 },
    { "TopK", 11, "B[0,9]:300 !l=20", "", "", .dresses = PLAIN, .n_outputs = 2 },
    { "TopK", 11, "f:2,9,5,7 !l=3", "axis=1", "", .dresses = LAYOUTS, .n_outputs = 2 },

    /* ---- sums of products */
    { "Einsum", 12, "f:3,5,7 f:3,7,4", "equation=bij,bjk->bik", "", .dresses = PLAIN },
    { "Einsum", 12, "f:2,3,5,7 f:2,4,5,7", "equation=bihw,bjhw->bji", "", .dresses = LAYOUTS },
    { "Einsum", 12, "f:2,3,5 f:1,5", "equation=i...,j...->ij...", "", .dresses = PLAIN },
    { "Einsum", 12, "f:5,4,5", "equation=iji->j", "", .dresses = PLAIN },
    { "Einsum", 12, "i[-9,9]:5,4 i[-9,9]:4", "equation=ij,j", "", .dresses = PLAIN },
    { "Einsum", 12, "f:17 f:17", "equation=i,i->", "", .dresses = PLAIN },

    /* ---- points of a grid */
#define GRID "f[-1.3,1.3]:2,4,3,2"
    { "GridSample", 16, "f:2,5,6,7 " GRID, "", "", .dresses = LAYOUTS },
    { "GridSample", 16, "f:2,5,6,7 " GRID, "align_corners=1 padding_mode=border", "", .dresses = LAYOUTS },
    { "GridSample", 16, "f:2,5,6,7 " GRID, "mode=nearest padding_mode=reflection", "", .dresses = LAYOUTS },
    { "GridSample", 16, "f:2,5,6,7 " GRID, "mode=bicubic padding_mode=reflection align_corners=1", "", .dresses = LAYOUTS },
    { "GridSample", 16, "f:2,5,6,7 " GRID, "mode=bicubic", "", .dresses = LAYOUTS },
    { "GridSample", 20, "f:1,3,4,5,6 f[-1.3,1.3]:1,2,3,4,3", "mode=linear", "", .dresses = PLAIN },
    { "GridSample", 20, "f:1,3,9 f[-1.3,1.3]:1,4,1", "mode=cubic padding_mode=border", "", .dresses = PLAIN },
};
/* clang-format on */

const guint n_cases = G_N_ELEMENTS(cases);
