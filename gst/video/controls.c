/* controls.c - the table of the frames' controls: a row is rewritten on the device when it changes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A changed row travels as a kernel argument, which the driver copies when the kernel is enqueued:
 * no host memory has to wait for the device, and batches in flight keep the values they began with.
 */
#include "controls.h"

#include <string.h>

struct VideoControlsTable {
    OclKernel *kernel;
    cl_mem memory;
    VideoFrameControls *known; /* [max_frames] what the device holds once the queue gets there */
    gboolean *is_known;        /* [max_frames] */
};

VideoControlsTable *video_controls_table_new(OclDevice *device, guint max_frames, GError **error)
{
    g_autoptr(VideoControlsTable) table = g_new0(VideoControlsTable, 1);
    table->known = g_new0(VideoFrameControls, max_frames);
    table->is_known = g_new0(gboolean, max_frames);
    table->kernel = video_kernel_new(device, "video_controls.cl", "video_set_controls", error, " ");
    if (!table->kernel)
        return NULL;
    table->memory = ocl_buffer_new(device, OCL_BUFFER_READ_WRITE,
                                   max_frames * sizeof(VideoFrameControls), error);
    return table->memory ? g_steal_pointer(&table) : NULL;
}

void video_controls_table_free(VideoControlsTable *table)
{
    if (!table)
        return;
    ocl_kernel_free(table->kernel);
    ocl_buffer_clear(&table->memory);
    g_free(table->known);
    g_free(table->is_known);
    g_free(table);
}

gboolean video_controls_table_set(VideoControlsTable *table, OclQueue *compute, guint index,
                                  const VideoFrameControls *controls, GError **error)
{
    if (table->is_known[index] && !memcmp(&table->known[index], controls, sizeof *controls))
        return TRUE;
    gint32 row = (gint32)index;
    const VideoArgument arguments[] = { VIDEO_ARG(table->memory), VIDEO_ARG(row),
                                        VIDEO_ARG(*controls) };
    if (!video_launch(compute, table->kernel, arguments, G_N_ELEMENTS(arguments), 1, 1, 1, error))
        return FALSE;
    table->known[index] = *controls;
    table->is_known[index] = TRUE;
    return TRUE;
}

cl_mem video_controls_table_memory(const VideoControlsTable *table)
{
    return table->memory;
}

const VideoFrameControls *video_controls_table_get(const VideoControlsTable *table, guint index)
{
    return &table->known[index];
}
