/* launch_util.c - what the launchers share: element types, work sizes, collapsed axes, constants.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "launch_util.h"

#include <string.h>

/* One local size everywhere: PoCL compiles a kernel anew for each. 64 work-items fill a GPU's warps
 * and make PoCL's 9 ns per work-group vanish. */
#define WORK_GROUP 64

const char *nn_kernel_type(NnType type)
{
    switch (type) {
    case NN_FLOAT16:
        return "half";
    case NN_INT8:
        return "char";
    case NN_UINT8:
    case NN_BOOL:
        return "uchar";
    case NN_INT16:
        return "short";
    case NN_UINT16:
        return "ushort";
    case NN_INT32:
        return "int";
    case NN_UINT32:
        return "uint";
    case NN_INT64:
        return "long";
    case NN_UINT64:
        return "ulong";
    default:
        return "float";
    }
}

guint nn_vector_width(const NnRecorder *recorder)
{
    const guint width = nn_recorder_device(recorder)->vector_width;
    return width >= 16 ? 16 : width >= 8 ? 8 : 4;
}

guint nn_channel_vector_width(const NnRecorder *recorder, gint64 channels)
{
    const guint widest = nn_vector_width(recorder);
    for (guint width = widest; width >= 4; width /= 2)
        if (channels % width == 0)
            return width;
    for (guint width = widest; width >= 4; width /= 2)
        if (channels >= width)
            return width;
    return 1;
}

static gboolean on_cpu(const NnRecorder *recorder)
{
    return nn_recorder_device(recorder)->device_class == OCL_CLASS_CPU;
}

static int sample_dim(const NnView *out)
{
    return out->storage->shared ? -1 : 2;
}

void nn_launch_items(NnLaunch *launch, const NnView *out, gint64 n, gint64 rows)
{
    const gsize groups = (gsize)(MAX(n, 1) + WORK_GROUP - 1) / WORK_GROUP;
    const gsize global[3] = { groups * WORK_GROUP, (gsize)MAX(rows, 1), 1 };
    const gsize local[3] = { WORK_GROUP, 1, 1 };
    nn_launch_size(launch, 3, global, local, sample_dim(out));
}

void nn_launch_tiles(const NnRecorder *recorder, NnLaunch *launch, const NnView *out, gint64 x,
                     gint64 y)
{
    const gsize global[3] = { (gsize)MAX(x, 1), (gsize)MAX(y, 1), 1 };
    const gsize local[3] = { 1, 1, 1 };
    nn_launch_size(launch, 3, global, on_cpu(recorder) ? local : NULL, sample_dim(out));
}

gint64 nn_chunk_elements(const NnRecorder *recorder)
{
    /* 4096 floats take 0.2 us or more from memory against 9 ns for the work-group (PoCL 3.1). */
    return on_cpu(recorder) ? 4096 : nn_vector_width(recorder);
}

gint64 nn_view_count(const NnView *view)
{
    gint64 n = 1;
    for (int i = 0; i < view->rank; i++)
        n *= view->dims[i];
    return n;
}

NnMap nn_map_of(const NnView *view)
{
    NnMap map = { 0 };
    if (!nn_view_map(view, &map))
        g_return_val_if_reached(map);
    return map;
}

NnView nn_view_strided(const NnView *view, int rank, const gint64 *dims, const gint64 *strides)
{
    NnView out = *view;
    out.rank = rank;
    for (int i = 0; i < rank; i++) {
        out.dims[i] = dims[i];
        out.strides[i] = strides[i];
    }
    return out;
}

/* A batch is samples here (graph.h), so that networks come to this by folding axes into the first:
 * windows of attention, a few hundred. */
#define MOST_ENTRIES 4096

gboolean nn_check_entries(const NnNode *node, GError **error)
{
    const gint64 n = nn_node_input(node, 0)->dims[0];
    return n <= MOST_ENTRIES ||
           nn_node_error(node, error, NN_ERROR_UNSUPPORTED,
                         "its input has %" G_GINT64_FORMAT " entries, more than %d", n,
                         MOST_ENTRIES);
}

NnView nn_view_entry(const NnView *view, gint64 i)
{
    NnView out = *view;
    out.offset += i * view->strides[0];
    out.dims[0] = 1;
    return out;
}

static void swap_axes(NnView *view, int a, int b)
{
    const gint64 dim = view->dims[a], stride = view->strides[a];
    view->dims[a] = view->dims[b];
    view->strides[a] = view->strides[b];
    view->dims[b] = dim;
    view->strides[b] = stride;
}

static void sort_axes(NnView *views, guint n)
{
    for (int i = 1; i < views->rank; i++)
        for (int j = i; j > 0 && ABS(views->strides[j - 1]) < ABS(views->strides[j]); j--)
            for (guint v = 0; v < n; v++)
                swap_axes(&views[v], j - 1, j);
}

/* Whether axis @b of all views continues what axis @a walks. */
static gboolean continues(const NnView *views, guint n, int a, int b)
{
    for (guint v = 0; v < n; v++)
        if (views[v].strides[a] != views[v].dims[b] * views[v].strides[b])
            return FALSE;
    return TRUE;
}

static void move_axis(NnView *views, guint n, int to, int from)
{
    for (guint v = 0; v < n; v++) {
        views[v].dims[to] = views[v].dims[from];
        views[v].strides[to] = views[v].strides[from];
    }
}

void nn_views_merge(NnView *views, guint n)
{
    int rank = 0;
    for (int i = 0; i < views->rank; i++) {
        if (views->dims[i] == 1)
            continue;
        if (rank > 0 && continues(views, n, rank - 1, i)) {
            const gint64 outer = views->dims[rank - 1];
            move_axis(views, n, rank - 1, i);
            for (guint v = 0; v < n; v++)
                views[v].dims[rank - 1] *= outer;
        } else {
            move_axis(views, n, rank++, i);
        }
    }
    for (guint v = 0; v < n; v++) {
        if (rank == 0) {
            views[v].dims[0] = 1;
            views[v].strides[0] = 0;
        }
        views[v].rank = MAX(rank, 1);
    }
}

void nn_views_collapse(NnView *views, guint n)
{
    sort_axes(views, n);
    nn_views_merge(views, n);
}

static void append_axis(NnView *to, const NnView *from, int axis)
{
    to->dims[to->rank] = from->dims[axis];
    to->strides[to->rank++] = from->strides[axis];
}

void nn_view_split(const NnView *view, guint mask, NnView *across, NnView *along)
{
    *across = *along = *view;
    across->rank = along->rank = 0;
    for (int axis = 0; axis < view->rank; axis++)
        append_axis(mask & (1u << axis) ? along : across, view, axis);
    for (int i = 0; i < 2; i++) {
        NnView *part = i == 0 ? across : along;
        if (part->rank == 0) {
            part->rank = 1;
            part->dims[0] = 1;
            part->strides[0] = 0;
        }
    }
}

void nn_launch_strides(NnLaunch *launch, const NnView *view)
{
    NnStrided strided = { 0 };
    for (int i = 0; i < view->rank; i++)
        strided.stride[i] = (gint32)view->strides[i];
    nn_launch_bytes(launch, &strided, sizeof strided);
}

NnArray *nn_constant_floats(const NnNode *node, guint i)
{
    const NnValue *value = nn_node_input(node, i);
    if (!value || !value->constant)
        return NULL;
    return value->constant->type == NN_FLOAT32 ? nn_array_ref(value->constant)
                                               : nn_array_cast(value->constant, NN_FLOAT32);
}

void nn_launch_activation(NnLaunch *launch, const NnNode *node)
{
    nn_launch_float(launch, node->activation.alpha);
    nn_launch_float(launch, node->activation.beta);
}
