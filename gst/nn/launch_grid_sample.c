/* launch_grid_sample.c - GridSample.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "launch_util.h"

gboolean nn_launch_grid_sample(NnRecorder *recorder, const NnNode *node, GError **error)
{
    static const int taps[] = {
        [NN_SAMPLE_NEAREST] = 1, [NN_SAMPLE_LINEAR] = 2, [NN_SAMPLE_CUBIC] = 4
    };
    NnSampleParams params;
    if (!nn_sample_params(node, &params, error))
        return FALSE;
    const NnView *x = nn_recorder_input(recorder, node, 0);
    const NnView *grid = nn_recorder_input(recorder, node, 1);
    const NnView *y = nn_recorder_output(recorder, node, 0);
    if (nn_view_count(y) == 0)
        return TRUE;
    const gint64 points = nn_view_count(y) / y->dims[1];

    NnLaunch *launch = nn_recorder_launch(
        recorder, node, "grid_sample.cl", "grid_sample",
        "-DTX=%s -DTG=%s -DTY=%s -DAXES=%d -DTAPS=%d -DBEYOND=%d -DALIGN_CORNERS=%d",
        nn_kernel_type(x->type), nn_kernel_type(grid->type), nn_kernel_type(y->type), x->rank - 2,
        taps[params.mode], params.beyond, params.align_corners);
    nn_launch_strided(launch, x);
    nn_launch_strided(launch, grid);
    nn_launch_strided(launch, y);
    nn_launch_extents(launch, x->rank, x->dims);
    nn_launch_extents(launch, y->rank, y->dims);
    nn_launch_int(launch, (gint32)points);
    nn_launch_int(launch, (gint32)y->dims[1]);
    nn_launch_items(launch, y, points, 1);
    return TRUE;
}
