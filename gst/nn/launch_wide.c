/* launch_wide.c - when the kernels made for GPUs fit: those that take eight elements at a time.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "launch_wide.h"

gboolean nn_gpu_variant(const NnRecorder *recorder, const char *name)
{
    return (nn_recorder_device(recorder)->device_class != OCL_CLASS_CPU &&
            !nn_recorder_leaves_out(recorder, name)) ||
           g_strcmp0(nn_recorder_forced_variant(recorder), name) == 0;
}

gboolean nn_group_fits(const NnRecorder *recorder, guint n)
{
    return n <= nn_recorder_device(recorder)->max_work_group;
}

gboolean nn_view_is_wide(const NnView *view, int axis)
{
    for (int i = 0; i < view->rank; i++)
        if (i != axis && view->dims[i] > 1 && view->strides[i] % NN_WIDE != 0)
            return FALSE;
    return (view->type == NN_FLOAT32 || view->type == NN_FLOAT16) && view->strides[axis] == 1 &&
           view->dims[axis] % NN_WIDE == 0 && view->offset % NN_WIDE == 0;
}
