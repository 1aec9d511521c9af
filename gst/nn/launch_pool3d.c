/* launch_pool3d.c - pools in general: over three axes, indices of several maps, mixed types.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "launch_pool.h"

/* Mirrors kernels/pool3d.cl. */
typedef struct {
    gint32 in[3], taps[3], stride[3], dilation[3];
    gint32 pad[3], padded[3];
    gint32 column_major;
    float p;
} Shape;

/* Fewer axes get axes of 1 in front. */
static Shape make_shape(const NnPoolParams *params)
{
    Shape shape = { .column_major = params->column_major, .p = (float)params->p };
    for (int i = 0; i < 3; i++) {
        const int from = (i + params->n_spatial) % 3; /* axes past the last are those of 1 */
        shape.in[i] = (gint32)params->in[from];
        shape.taps[i] = (gint32)params->kernel[from];
        shape.stride[i] = (gint32)params->stride[from];
        shape.dilation[i] = (gint32)params->dilation[from];
        shape.pad[i] = (gint32)params->pad_begin[from];
        shape.padded[i] =
            params->count_include_pad ? (gint32)(params->in[from] + params->pad_end[from]) : -1;
    }
    return shape;
}

static NnView view_3d(const NnView *view)
{
    const int missing = 5 - view->rank;
    gint64 dims[5] = { view->dims[0], view->dims[1], 1, 1, 1 };
    gint64 strides[5] = { view->strides[0], view->strides[1], 0, 0, 0 };
    for (int axis = 2; axis < view->rank; axis++) {
        dims[axis + missing] = view->dims[axis];
        strides[axis + missing] = view->strides[axis];
    }
    return nn_view_strided(view, 5, dims, strides);
}

gboolean nn_launch_pool_3d(NnRecorder *recorder, const NnNode *node, const NnPoolParams *params,
                           const char *kind)
{
    const NnView x = view_3d(nn_recorder_input(recorder, node, 0));
    const NnView y = view_3d(nn_recorder_output(recorder, node, 0));
    const NnView *indices = nn_recorder_output(recorder, node, 1);
    const NnView places = indices ? view_3d(indices) : y;
    const Shape shape = make_shape(params);

    NnLaunch *launch = nn_recorder_launch(
        recorder, node, "pool3d.cl", "pool_3d", "-DPOOL=%s -DTX=%s -DTY=%s -DINDICES=%d", kind,
        nn_kernel_type(x.type), nn_kernel_type(y.type), indices != NULL);
    nn_launch_strided(launch, &x);
    nn_launch_strided(launch, &y);
    nn_launch_strided(launch, &places);
    nn_launch_extents(launch, y.rank, y.dims);
    nn_launch_int(launch, (gint32)nn_view_count(&y));
    nn_launch_bytes(launch, &shape, sizeof shape);
    nn_launch_cost(launch,
                   (double)nn_view_count(&y) * shape.taps[0] * shape.taps[1] * shape.taps[2]);
    nn_launch_items(launch, &y, nn_view_count(&y), 1);
    return TRUE;
}
