/* harness.h - what the tests of this folder begin and end with.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <fakecl.h>
#include <ocl.h>

G_BEGIN_DECLS

/* Prepares GLib's tests, an empty cache folder and the kernels of this folder. */
void harness_init(int *argc, char ***argv);

/* Adds a test named by a sentence. After it no OpenCL object may be left alive. */
void harness_add(const char *sentence, void (*test)(void));

/* Runs the tests and removes the cache folder. */
int harness_run(void);

/* The first device; fails the test if there is none. */
OclDevice *harness_open(void);

/* The kernel add() of add.cl. */
OclKernel *harness_add_kernel(OclDevice *device, const char *options);

/* Empties the folder of cached programs, and its path. */
void harness_clear_cache(void);
const char *harness_cache_dir(void);

G_END_DECLS
