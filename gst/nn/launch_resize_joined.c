/* launch_resize_joined.c - maps of one channel on GPUs, such as the side outputs of U2-Net: all
 * that become parts of one Concat are enlarged in one launch, and a Sigmoid behind one, or one
 * behind each, is part of it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fuse.h"
#include "launch_resize.h"
#include "launch_wide.h"

#define NAME "resize_joined"
#define MOST_SOURCES 6 /* SOURCES_... in kernels/resize.cl */

/* What one launch enlarges. */
typedef struct {
    const NnNode *nodes[MOST_SOURCES];
    NnResizeParams params[MOST_SOURCES];
    guint n;
    const NnView *y;       /* the Concat's output, or what comes of the only one */
    const NnNode *sigmoid; /* (nullable): behind the only one */
    const NnNode
        *sigmoids[MOST_SOURCES]; /* behind each, beside the Concat; none if the first is NULL */
} Joined;

/* Linear in both directions, of one channel. */
static gboolean fits_source(NnRecorder *recorder, const NnNode *node, NnResizeParams *params)
{
    const NnView *x = nn_recorder_input(recorder, node, 0);
    NnMap map;
    return (nn_is_type(node, "Resize") || nn_is_type(node, "Upsample")) &&
           nn_resize_params(node, params, NULL) && nn_resize_is_bilinear(params) &&
           params->in[1] == 1 && nn_type_is_float(x->type) && nn_view_map(x, &map);
}

/* Adds @node if it belongs to those that are there. FALSE if it does, but there is no room. */
static gboolean add_source(NnRecorder *recorder, const NnNode *node, Joined *joined)
{
    NnResizeParams params;
    const NnView *x = nn_recorder_input(recorder, node, 0);
    if (!fits_source(recorder, node, &params) ||
        nn_recorder_output(recorder, node, 0)->storage != joined->y->storage ||
        (joined->n > 0 && nn_recorder_input(recorder, joined->nodes[0], 0)->type != x->type))
        return TRUE;
    if (joined->n == MOST_SOURCES)
        return FALSE;
    joined->nodes[joined->n] = node;
    joined->params[joined->n++] = params;
    return TRUE;
}

/* Those that are parts of @concat, in place. */
static gboolean find_parts(NnRecorder *recorder, const NnNode *concat, Joined *joined)
{
    const NnValue *whole = nn_node_output(concat, 0);
    const gint64 axis = nn_node_int(concat, "axis", 1);
    joined->y = nn_recorder_output(recorder, concat, 0);
    joined->n = 0;
    if (whole->rank != 4 || (axis != 1 && axis != -3))
        return FALSE;
    for (guint i = 0; i < concat->inputs->len; i++) {
        const NnNode *node = nn_node_input(concat, i)->producer;
        if (node && !add_source(recorder, node, joined))
            return FALSE;
    }
    return joined->n > 1;
}

static gboolean is_plain_sigmoid(NnRecorder *recorder, const NnNode *node)
{
    NnMap map;
    return nn_is_type(node, "Sigmoid") && node->residual < 0 &&
           node->activation.type == NN_ACT_NONE &&
           nn_view_map(nn_recorder_output(recorder, node, 0), &map);
}

/* The only other use of what @node computes but by a Concat, if it is a Sigmoid. */
static const NnNode *find_sigmoid(NnRecorder *recorder, const NnNode *node)
{
    const GPtrArray *users = nn_node_output(node, 0)->consumers;
    for (guint i = 0; i < users->len && users->len == 2; i++)
        if (is_plain_sigmoid(recorder, users->pdata[i]) &&
            nn_is_type(users->pdata[1 - i], "Concat"))
            return users->pdata[i];
    return NULL;
}

/* Those of all parts, of one type in memory. */
static void add_sigmoids(NnRecorder *recorder, Joined *joined)
{
    const NnNode *sigmoids[MOST_SOURCES];
    for (guint i = 0; i < joined->n; i++) {
        sigmoids[i] = find_sigmoid(recorder, joined->nodes[i]);
        if (!sigmoids[i] || nn_recorder_output(recorder, sigmoids[i], 0)->type !=
                                nn_recorder_output(recorder, sigmoids[0], 0)->type)
            return;
    }
    for (guint i = 0; i < joined->n; i++) {
        joined->sigmoids[i] = sigmoids[i];
        nn_recorder_elide(recorder, sigmoids[i]);
    }
}

/* The one of them that is recorded last; NULL if something is recorded before it that uses one. */
static const NnNode *find_last(NnRecorder *recorder, const Joined *joined)
{
    const NnNode *last = joined->nodes[0];
    for (guint i = 1; i < joined->n; i++)
        if (nn_recorder_is_later(recorder, joined->nodes[i], last))
            last = joined->nodes[i];
    for (guint i = 0; i < joined->n; i++) {
        const NnValue *out = nn_node_output(joined->nodes[i], 0);
        for (guint k = 0; k < out->consumers->len; k++)
            if (!nn_recorder_is_later(recorder, out->consumers->pdata[k], last))
                return NULL;
    }
    return last;
}

/* One launch for all of @joined: work-items are pixels. */
static void record(NnRecorder *recorder, const NnNode *node, const Joined *joined)
{
    const NnView *x = nn_recorder_input(recorder, joined->nodes[0], 0);
    const NnView *z =
        joined->sigmoids[0] ? nn_recorder_output(recorder, joined->sigmoids[0], 0) : NULL;
    NnLaunch *launch = nn_recorder_launch(recorder, node, "resize.cl", NAME,
                                          "-DJOINED=%u -DTX=%s -DTY=%s -DACT=%d%s%s", joined->n,
                                          nn_kernel_type(x->type), nn_kernel_type(joined->y->type),
                                          joined->sigmoid ? NN_ACT_SIGMOID : NN_ACT_NONE,
                                          z ? " -DTZ=" : "", z ? nn_kernel_type(z->type) : "");
    for (guint i = 0; i < joined->n; i++) {
        const NnView *part = nn_recorder_output(recorder, joined->nodes[i], 0);
        const NnTaps rows = nn_record_taps(recorder, &joined->params[i], 2);
        const NnTaps columns = nn_record_taps(recorder, &joined->params[i], 3);
        nn_launch_map(launch, nn_recorder_input(recorder, joined->nodes[i], 0));
        nn_launch_buffer(launch, &rows.index);
        nn_launch_buffer(launch, &rows.weight);
        nn_launch_buffer(launch, &columns.index);
        nn_launch_buffer(launch, &columns.weight);
        nn_launch_int(launch, joined->sigmoid ? 0 : (gint32)(part->offset - joined->y->offset));
        if (z)
            nn_launch_map(launch, nn_recorder_output(recorder, joined->sigmoids[i], 0));
    }
    nn_launch_map(launch, joined->y);
    const gint64 pixels = joined->y->dims[2] * joined->y->dims[3];
    nn_launch_cost(launch, 8.0 * (double)pixels * joined->n);
    nn_launch_items(launch, joined->y, pixels, 1);
}

gboolean nn_launch_resize_joined(NnRecorder *recorder, const NnNode *node)
{
    const char *forced = nn_recorder_forced_variant(recorder);
    const NnValue *out = nn_node_output(node, 0);
    Joined joined = { .n = 1, .nodes = { node } };
    if (!nn_gpu_variant(recorder, NAME) || (forced && strcmp(forced, NAME) != 0) ||
        !fits_source(recorder, node, &joined.params[0]))
        return FALSE;
    const NnNode *user = nn_has_single_use(out) ? out->consumers->pdata[0] : NULL;
    if (user && is_plain_sigmoid(recorder, user)) {
        joined.sigmoid = user;
        joined.y = nn_recorder_output(recorder, user, 0);
        record(recorder, node, &joined);
        nn_recorder_elide(recorder, user);
        return TRUE;
    }
    for (guint i = 0; i < out->consumers->len; i++) {
        const NnNode *concat = out->consumers->pdata[i];
        if (!nn_is_type(concat, "Concat") || !find_parts(recorder, concat, &joined))
            continue;
        const NnNode *last = find_last(recorder, &joined);
        if (last == node) {
            add_sigmoids(recorder, &joined);
            record(recorder, node, &joined);
        }
        return last != NULL;
    }
    return FALSE;
}
