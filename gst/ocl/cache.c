/* cache.c - compiled programs kept on disk, below the user's cache directory.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A file is a header with the SHA-256 of the content in hexadecimal, and the content. A file
 * that does not check out was cut short or is not ours; it counts as absent and is replaced.
 */
#include "internal.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#define HEADER_FORMAT "clmatte program 1\n%s\n"
/* HEADER_FORMAT with a digest of 64 digits in place of its %s. */
#define HEADER_LENGTH (sizeof HEADER_FORMAT - 1 - 2 + 64)

static char *cache_dir(void)
{
    return g_build_filename(g_get_user_cache_dir(), "gst-clmatte", NULL);
}

static char *path_of(const char *key)
{
    return g_build_filename(g_get_user_cache_dir(), "gst-clmatte", key, NULL);
}

static char *header_of(const guint8 *content, gsize size_b)
{
    g_autofree char *digest = g_compute_checksum_for_data(G_CHECKSUM_SHA256, content, size_b);
    return g_strdup_printf(HEADER_FORMAT, digest);
}

static gboolean is_intact(GBytes *file)
{
    gsize size_b;
    const guint8 *data = g_bytes_get_data(file, &size_b);
    if (size_b < HEADER_LENGTH)
        return FALSE;
    g_autofree char *header = header_of(data + HEADER_LENGTH, size_b - HEADER_LENGTH);
    return memcmp(data, header, HEADER_LENGTH) == 0;
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
    gsize size_b;
    const guint8 *data = g_bytes_get_data(content, &size_b);
    g_autofree char *header = header_of(data, size_b);
    g_autoptr(GError) error = NULL;

    if (g_mkdir_with_parents(dir, 0700) != 0) {
        g_debug("no cache folder %s: %s", dir, g_strerror(errno));
        return;
    }
    g_autoptr(GString) file = g_string_new(header);
    g_string_append_len(file, (const char *)data, size_b);
    if (!g_file_set_contents_full(path, file->str, file->len, G_FILE_SET_CONTENTS_CONSISTENT, 0600,
                                  &error))
        g_debug("%s", error->message);
}
