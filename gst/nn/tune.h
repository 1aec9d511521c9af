/* tune.h - choosing among kernel variants by measuring them, and remembering what was found.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rules beside the launchers (NnVariant.pays) are right for the devices that they were found
 * on. Measuring builds the network once more for every way that would fit somewhere, runs it in
 * turns with the network as it is, and keeps for each shape what was at least 5 % faster, twice:
 * once among the others, once all winners together.
 */
#pragma once

#include "nn.h"
#include "recorder.h"

G_BEGIN_DECLS

/* ---- tune_cache.c: a file per kind of device below the user's cache directory */

/* What was found on devices like this one with these kernels: the key of a choice -> its ways
 * (char **, NULL-terminated), the best first, then all that it was compared with. A file that is
 * missing or damaged counts as empty.
 * Returns: (transfer full): never NULL */
GHashTable *nn_tune_load(const OclDevice *device);
/* Adds @found, as above, to the file, which is replaced at once and whole: of two writers the later
 * one wins, and nobody reads half a file. Failing is harmless. */
void nn_tune_store(const OclDevice *device, GHashTable *found);

/* What the test of a kernel found on devices like this one (trust.h); kept in the same file. */
typedef enum {
    NN_VERDICT_NONE, /* it has not been tested */
    NN_VERDICT_RIGHT,
    NN_VERDICT_WRONG,
} NnVerdict;

NnVerdict nn_tune_load_verdict(const OclDevice *device, const char *kernel);
void nn_tune_store_verdict(const OclDevice *device, const char *kernel, NnVerdict verdict);

/* ---- tune.c */

/* TRUE if some choice of @network, which was built with @measured, has ways not compared yet. */
gboolean nn_tune_is_wanted(const NnNetwork *network, GHashTable *measured);
/* Compares what nn_tune_is_wanted() speaks of until params->tuning_ms have passed, adds the results
 * to @measured and stores them. What the time did not suffice for is left for the next time; an
 * error (too little memory for two networks at once) ends it like the time. Blocks; takes the time
 * and one kernel's compilation at most. */
void nn_tune(NnModel *model, OclDevice *device, const NnNetworkParams *params,
             GHashTable *measured);

/* ---- network.c, for tune.c */

/* As nn_network_new(), with @measured for its choices. Making a slot and running it fail with
 * G_IO_ERROR_TIMED_OUT after @deadline_us on the monotonic clock, unless that is 0. */
NnNetwork *nn_network_build(NnModel *model, OclDevice *device, const NnNetworkParams *params,
                            GHashTable *measured, gint64 deadline_us, GError **error);
const NnRecorder *nn_network_recorder(const NnNetwork *network);
/* Small positive numbers into all float inputs, zeros into all others. */
gboolean nn_slot_fill_inputs(NnSlot *slot, OclQueue *queue, GError **error);

G_END_DECLS
