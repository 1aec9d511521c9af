/* tune_cache.c - what was measured, in a key file below the user's cache directory.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tune.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#define GROUP "choices"
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

GHashTable *nn_tune_load(const OclDevice *device)
{
    GHashTable *found = table_new();
    g_autofree char *path = path_of(device);
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(GError) error = NULL;
    if (!path)
        return found;
    if (g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, &error))
        add_choices(file, found);
    else
        g_debug("no measured choices: %s: %s", path, error->message);
    return found;
}

static char *to_text(const OclDevice *device, GHashTable *choices)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_key_file_set_string(file, "device", "name", device->name);
    g_key_file_set_string(file, "device", "driver", device->driver);
    GHashTableIter iter;
    gpointer key, ways;
    g_hash_table_iter_init(&iter, choices);
    while (g_hash_table_iter_next(&iter, &key, &ways))
        g_key_file_set_string_list(file, GROUP, key, (const char *const *)ways,
                                   g_strv_length(ways));
    return g_key_file_to_data(file, NULL, NULL);
}

void nn_tune_store(const OclDevice *device, GHashTable *found)
{
    g_autofree char *path = path_of(device);
    if (!path)
        return;
    g_autoptr(GHashTable) all = nn_tune_load(device);
    if (g_hash_table_size(all) > MOST_CHOICES)
        g_hash_table_remove_all(all);
    GHashTableIter iter;
    gpointer key, ways;
    g_hash_table_iter_init(&iter, found);
    while (g_hash_table_iter_next(&iter, &key, &ways))
        g_hash_table_insert(all, g_strdup(key), g_strdupv(ways));

    g_autofree char *folder = g_path_get_dirname(path);
    g_autofree char *text = to_text(device, all);
    g_autoptr(GError) error = NULL;
    if (g_mkdir_with_parents(folder, 0700) != 0)
        g_debug("no cache folder %s: %s", folder, g_strerror(errno));
    else if (!g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600,
                                       &error))
        g_debug("%s", error->message);
}
