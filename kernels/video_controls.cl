/* video_controls.cl - the table of what changes from frame to frame.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Defines: PX (unused).
 * Buffers: controls [n].
 * Accumulation: none.
 * Launch: one work-item per changed row.
 */
#include "video.clh"

/* The value is an argument, so that no host memory has to outlive the call. */
__kernel void video_set_controls(__global Controls *controls, int frame, Controls value)
{
    controls[frame] = value;
}
