/* tune_cache.c - what was measured, in a key file below the user's cache directory.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tune.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#define GROUP "choices"
#define KERNELS "kernels"
/* A network has a hundred. A file that has seen forty of them, or sizes without end, starts anew.
 */
#define MOST_CHOICES 4000

static GHashTable *table_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_strfreev);
}

/* NULL while kernels come from a developer's folder: they change from run to run. */
static char *path_of(const OclDevice *device)
{
    g_autofree char *kernels = ocl_source_digest();
    if (!kernels)
        return NULL;
    g_autofree char *text = g_strjoin("\n", device->platform_name, device->name, device->driver,
                                      PACKAGE_VERSION, kernels, NULL);
    g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
    g_autofree char *file = g_strdup_printf("tuning-%.32s.ini", digest);
    return g_build_filename(g_get_user_cache_dir(), "gst-clmatte", file, NULL);
}

static void add_choices(GKeyFile *file, GHashTable *found)
{
    g_auto(GStrv) keys = g_key_file_get_keys(file, GROUP, NULL, NULL);
    for (char **key = keys; key && *key; key++) {
        char **ways = g_key_file_get_string_list(file, GROUP, *key, NULL, NULL);
        if (ways && ways[0])
            g_hash_table_insert(found, g_strdup(*key), ways);
        else
            g_strfreev(ways);
    }
}

/* Empty if there is no file, or a damaged one. */
static GKeyFile *load_file(const OclDevice *device)
{
    g_autofree char *path = path_of(device);
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(GError) error = NULL;
    if (!path || g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, &error))
        return g_steal_pointer(&file);
    g_debug("nothing is known of the device: %s: %s", path, error->message);
    return g_key_file_new();
}

static void store_file(const OclDevice *device, GKeyFile *file)
{
    g_autofree char *path = path_of(device);
    if (!path)
        return;
    g_key_file_set_string(file, "device", "name", device->name);
    g_key_file_set_string(file, "device", "driver", device->driver);
    g_autofree char *folder = g_path_get_dirname(path);
    g_autofree char *text = g_key_file_to_data(file, NULL, NULL);
    g_autoptr(GError) error = NULL;
    if (g_mkdir_with_parents(folder, 0700) != 0)
        g_debug("no cache folder %s: %s", folder, g_strerror(errno));
    else if (!g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600,
                                       &error))
        g_debug("%s", error->message);
}

/* ---------------------------------------------------------------- choices */

GHashTable *nn_tune_load(const OclDevice *device)
{
    GHashTable *found = table_new();
    g_autoptr(GKeyFile) file = load_file(device);
    add_choices(file, found);
    return found;
}

void nn_tune_store(const OclDevice *device, GHashTable *found)
{
    g_autoptr(GKeyFile) file = load_file(device);
    gsize n = 0;
    g_strfreev(g_key_file_get_keys(file, GROUP, &n, NULL));
    if (n > MOST_CHOICES)
        g_key_file_remove_group(file, GROUP, NULL);
    GHashTableIter iter;
    gpointer key, ways;
    g_hash_table_iter_init(&iter, found);
    while (g_hash_table_iter_next(&iter, &key, &ways))
        g_key_file_set_string_list(file, GROUP, key, (const char *const *)ways,
                                   g_strv_length(ways));
    store_file(device, file);
}

/* ---------------------------------------------------------------- verdicts */

static const char *const verdict_names[] = {
    [NN_VERDICT_RIGHT] = "right", [NN_VERDICT_WRONG] = "wrong"
};

NnVerdict nn_tune_load_verdict(const OclDevice *device, const char *kernel)
{
    g_autoptr(GKeyFile) file = load_file(device);
    g_autofree char *text = g_key_file_get_string(file, KERNELS, kernel, NULL);
    for (guint i = NN_VERDICT_RIGHT; i < G_N_ELEMENTS(verdict_names); i++)
        if (g_strcmp0(text, verdict_names[i]) == 0)
            return (NnVerdict)i;
    return NN_VERDICT_NONE;
}

void nn_tune_store_verdict(const OclDevice *device, const char *kernel, NnVerdict verdict)
{
    g_autoptr(GKeyFile) file = load_file(device);
    g_key_file_set_string(file, KERNELS, kernel, verdict_names[verdict]);
    store_file(device, file);
}
