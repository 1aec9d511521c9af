/* cache.c - compiled programs kept on disk, below the user's cache directory.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A file is MAGIC, the SHA-256 of the content in hexadecimal, a newline, and the content. A file
 * that does not check out was cut short or is not ours; it counts as absent and is replaced.
 */
#include "internal.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#define MAGIC "clmatte program 1\n"
#define MAGIC_LENGTH (sizeof MAGIC - 1)
#define DIGEST_LENGTH 64
#define HEADER_LENGTH (MAGIC_LENGTH + DIGEST_LENGTH + 1)

static char *cache_dir(void)
{
    return g_build_filename(g_get_user_cache_dir(), "gst-clmatte", NULL);
}

static char *path_of(const char *key)
{
    return g_build_filename(g_get_user_cache_dir(), "gst-clmatte", key, NULL);
}

static gboolean is_intact(GBytes *file)
{
    gsize size_b;
    const char *data = g_bytes_get_data(file, &size_b);
    if (size_b < HEADER_LENGTH || memcmp(data, MAGIC, MAGIC_LENGTH) != 0)
        return FALSE;
    g_autofree char *digest = g_compute_checksum_for_data(
        G_CHECKSUM_SHA256, (const guchar *)data + HEADER_LENGTH, size_b - HEADER_LENGTH);
    return memcmp(data + MAGIC_LENGTH, digest, DIGEST_LENGTH) == 0;
}

GBytes *ocl_cache_load(const char *key)
{
    g_autofree char *path = path_of(key);
    char *data;
    gsize size_b;
    if (!g_file_get_contents(path, &data, &size_b, NULL))
        return NULL;
    g_autoptr(GBytes) file = g_bytes_new_take(data, size_b);
    if (!is_intact(file)) {
        g_debug("ignoring damaged cache file %s", path);
        return NULL;
    }
    return g_bytes_new_from_bytes(file, HEADER_LENGTH, size_b - HEADER_LENGTH);
}

void ocl_cache_store(const char *key, GBytes *content)
{
    g_autofree char *dir = cache_dir();
    g_autofree char *path = path_of(key);
    g_autofree char *digest = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, content);
    g_autoptr(GError) error = NULL;

    if (g_mkdir_with_parents(dir, 0700) != 0) {
        g_debug("no cache folder %s: %s", dir, g_strerror(errno));
        return;
    }
    g_autoptr(GString) file = g_string_new(MAGIC);
    g_string_append_printf(file, "%s\n", digest);
    g_string_append_len(file, g_bytes_get_data(content, NULL), g_bytes_get_size(content));
    if (!g_file_set_contents_full(path, file->str, file->len, G_FILE_SET_CONTENTS_CONSISTENT, 0600,
                                  &error))
        g_debug("%s", error->message);
}
