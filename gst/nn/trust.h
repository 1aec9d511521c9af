/* trust.h - kernels that a device does not run as it should, and is better off without.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A driver may refuse a kernel that others take, or compute something else: those written in the
 * device's own instructions (inline PTX) lead past what OpenCL promises. Such a kernel is left out
 * on that device, with one warning, and the next in its table of variants is taken. It is known by
 * its function's name, "conv_held", and with it go all variants "conv_held" and "conv_held:...".
 */
#pragma once

#include "launch.h"

G_BEGIN_DECLS

/* What is left out on devices such as @device. Any thread.
 * Returns: (transfer full) (nullable): a set of names; NULL if it is empty */
GHashTable *nn_kernels_left_out(const OclDevice *device);
/* Leaves @kernel out from now on, in what is recorded later by any thread of this process.
 * @why: what the driver said; the first line behind the first, or the only one, is shown.
 * Returns: FALSE if it was left out already, so that nothing changes */
gboolean nn_kernel_leave_out(const OclDevice *device, const char *kernel, const char *why);

/* Whether @device computes with @kernel what the C reference does: a small network of convolutions,
 * whose numbers halves hold exactly, is built and run, and must come out bit for bit.
 * FALSE with NN_ERROR_INPUT if the numbers differ, with G_IO_ERROR_TIMED_OUT if it took until
 * @deadline_us of the monotonic clock, else with what failed.
 * @kernel: one of those that speak PTX: "conv_tensor", "conv_inverted", "conv_wgmma", ... */
gboolean nn_kernel_test(OclDevice *device, const char *kernel, gint64 deadline_us, GError **error);
/* Tests the kernels of @launches that speak PTX (those that emulate it do not) and of which nothing
 * is known yet, in this process or in the tuner's file, and remembers the answers there. Takes half
 * a second and one kernel's compilation at most; what the time does not suffice for counts as
 * right, until the next network is built.
 * @launches: NnLaunch*
 * Returns: whether one was left out that @launches have */
gboolean nn_kernels_check(OclDevice *device, const GPtrArray *launches);

G_END_DECLS
