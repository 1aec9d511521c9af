/* source.c - the text of the kernel files: embedded in the library, or in a folder of a developer.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "internal.h"

#include <stdio.h>
#include <string.h>

/* Deeper nesting is a file that includes itself. */
#define MAX_INCLUDE_DEPTH 16

const char *ocl_source_find(const char *file)
{
    for (const OclSource *source = ocl_embedded_sources; source->file; source++)
        if (strcmp(source->file, file) == 0)
            return source->text;
    return NULL;
}

char *ocl_source_digest(void)
{
    if (g_getenv("CLMATTE_KERNEL_DIR"))
        return NULL;
    g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
    for (const OclSource *source = ocl_embedded_sources; source->file; source++)
        g_checksum_update(checksum, (const guchar *)source->text, strlen(source->text) + 1);
    return g_strdup(g_checksum_get_string(checksum));
}

/* The file that `#include "file"` names, NULL if @line is no such line. */
static char *parse_include(const char *line)
{
    char file[128];
    return sscanf(line, " # include \"%127[^\"]\"", file) == 1 ? g_strdup(file) : NULL;
}

/* Appends @dir/@file with its includes in place, as kernels/embed.py does for embedded files. */
static gboolean append_file(GString *text, const char *dir, const char *file, guint depth,
                            GError **error)
{
    g_autofree char *path = g_build_filename(dir, file, NULL);
    g_autofree char *content = NULL;
    if (depth > MAX_INCLUDE_DEPTH) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_LOOP, "%s includes itself", path);
        return FALSE;
    }
    if (!g_file_get_contents(path, &content, NULL, error))
        return FALSE;
    g_auto(GStrv) lines = g_strsplit(g_strchomp(content), "\n", -1);
    g_string_append_printf(text, "#line 1 \"%s\"\n", file);
    for (guint i = 0; lines[i]; i++) {
        g_autofree char *included = parse_include(lines[i]);
        if (!included) {
            g_string_append_printf(text, "%s\n", lines[i]);
            continue;
        }
        if (!append_file(text, dir, included, depth + 1, error))
            return FALSE;
        g_string_append_printf(text, "#line %u \"%s\"\n", i + 2, file);
    }
    return TRUE;
}

char *ocl_source_load(const char *file, GError **error)
{
    const char *dir = g_getenv("CLMATTE_KERNEL_DIR");
    if (dir && *dir) {
        g_autoptr(GString) text = g_string_new(NULL);
        return append_file(text, dir, file, 0, error) ? g_strdup(text->str) : NULL;
    }
    const char *text = ocl_source_find(file);
    if (!text)
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOENT,
                    "no kernel file %s is built into the plugin", file);
    return g_strdup(text);
}

/* "conv.cl:12" for line @number of @text, counted from 1, by the #line marks before it. */
static char *place_of_line(char *const *lines, guint number)
{
    char file[128] = "<kernel>";
    guint line = 0;
    for (guint i = 0; i < number && lines[i]; i++) {
        guint next;
        if (sscanf(lines[i], "#line %u \"%127[^\"]\"", &next, file) == 2)
            line = next - 1;
        else
            line++;
    }
    return g_strdup_printf("%s:%u", file, line);
}

static gboolean replace_place(const GMatchInfo *match, GString *result, gpointer lines)
{
    g_autofree char *number = g_match_info_fetch(match, 1);
    g_autofree char *place = place_of_line(lines, (guint)g_ascii_strtoull(number, NULL, 10));
    g_string_append(result, place);
    return FALSE;
}

char *ocl_source_locate(const char *text, const char *log)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_autoptr(GRegex) place = g_regex_new("<kernel>:([0-9]+)", 0, 0, NULL);
    return g_regex_replace_eval(place, log, -1, 0, 0, replace_place, lines, NULL);
}
