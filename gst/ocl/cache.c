/* cache.c - compiled programs kept on disk, below the user's cache directory.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A file is a header with the SHA-256 of the content in hexadecimal, and the content. A file
 * that does not check out was cut short or is not ours; it counts as absent and is replaced.
 *
 * The folder does not grow for ever: loading a program marks it as used, and storing one removes
 * those that have not been used for long, and the longest unused beyond a total size.
 */
#include "internal.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <utime.h>

/* A network has up to a hundred programs of 20 to 500 kB on GPUs. */
#define MOST_B (256 << 20)
#define OLDEST_S (90 * 24 * 3600)

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

/* ---------------------------------------------------------------- pruning */

typedef struct {
    char *path;
    gint64 used_s; /* when it was stored or loaded last */
    guint64 size_b;
} Entry;

static void clear_entry(gpointer data)
{
    g_free(((Entry *)data)->path);
}

/* A SHA-256 in hexadecimal, and what GLib appends to it while it writes the file. */
static gboolean is_program(const char *name)
{
    const gsize digits = strspn(name, "0123456789abcdef");
    return digits == 64 && (name[digits] == '\0' || name[digits] == '.');
}

static GArray *list_programs(void)
{
    GArray *entries = g_array_new(FALSE, FALSE, sizeof(Entry));
    g_array_set_clear_func(entries, clear_entry);
    g_autofree char *folder = cache_dir();
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        GStatBuf status;
        if (!is_program(name) || g_stat(path, &status) != 0)
            continue;
        const Entry entry = { g_steal_pointer(&path), status.st_mtime, (guint64)status.st_size };
        g_array_append_val(entries, entry);
    }
    return entries;
}

static int newest_first(gconstpointer a, gconstpointer b)
{
    const Entry *x = a, *y = b;
    return (x->used_s < y->used_s) - (x->used_s > y->used_s);
}

void ocl_cache_prune(guint64 most_b, gint64 oldest_s)
{
    const gint64 now_s = g_get_real_time() / G_USEC_PER_SEC;
    g_autoptr(GArray) entries = list_programs();
    g_array_sort(entries, newest_first);
    guint64 total_b = 0;
    for (guint i = 0; i < entries->len; i++) {
        const Entry *entry = &g_array_index(entries, Entry, i);
        total_b += entry->size_b;
        if ((total_b > most_b || now_s - entry->used_s > oldest_s) && g_unlink(entry->path) != 0)
            g_debug("cannot remove %s: %s", entry->path, g_strerror(errno));
    }
}

/* ---------------------------------------------------------------- load and store */

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
    g_utime(path, NULL);
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
    ocl_cache_prune(MOST_B, OLDEST_S);
}
