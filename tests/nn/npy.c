/* npy.c - reads and writes tensors as NumPy's .npy files.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "npy.h"

#include <gio/gio.h>
#include <string.h>

G_DEFINE_QUARK(npy - error - quark, npy_error)

#define MAGIC "\x93NUMPY"
#define MAGIC_B 6
/* Data start at a multiple of this, so that they can be mapped. */
#define ALIGNMENT_B 64

#if G_BYTE_ORDER == G_LITTLE_ENDIAN
#define NATIVE '<'
#else
#define NATIVE '>'
#endif

/* NumPy's kind and size of each element type. */
static const struct {
    NnType type;
    const char *code;
} element_types[] = {
    { NN_FLOAT16, "f2" }, { NN_FLOAT32, "f4" }, { NN_FLOAT64, "f8" }, { NN_INT8, "i1" },
    { NN_INT16, "i2" },   { NN_INT32, "i4" },   { NN_INT64, "i8" },   { NN_UINT8, "u1" },
    { NN_UINT16, "u2" },  { NN_UINT32, "u4" },  { NN_UINT64, "u8" },  { NN_BOOL, "b1" },
};

static gboolean fail(GError **error, NpyError code, const char *path, const char *what)
{
    g_set_error(error, NPY_ERROR, code, "%s: %s", path, what);
    return FALSE;
}

/* ---------------------------------------------------------------- the header's Python dict */

/* What follows "'key':" in @header, blanks skipped; NULL if the key is not there. */
static const char *header_value(const char *header, const char *key)
{
    g_autofree char *quoted = g_strdup_printf("'%s':", key);
    const char *at = strstr(header, quoted);
    if (!at)
        return NULL;
    for (at += strlen(quoted); *at == ' '; at++) {
    }
    return at;
}

static gboolean parse_type(const char *path, const char *header, NnType *type, GError **error)
{
    const char *descr = header_value(header, "descr");
    if (!descr || *descr != '\'' || strlen(descr) < 5 || descr[4] != '\'')
        return fail(error, NPY_ERROR_UNSUPPORTED, path, "the element type is not a plain number");
    for (gsize i = 0; i < G_N_ELEMENTS(element_types); i++) {
        if (strncmp(descr + 2, element_types[i].code, 2) != 0)
            continue;
        *type = element_types[i].type;
        /* '|' stands for "no byte order": elements of one byte. */
        if (descr[1] == NATIVE || descr[1] == '=' || nn_type_size(*type) == 1)
            return TRUE;
        return fail(error, NPY_ERROR_UNSUPPORTED, path, "the byte order is that of other machines");
    }
    g_set_error(error, NPY_ERROR, NPY_ERROR_UNSUPPORTED, "%s: element type %.5s is not supported",
                path, descr);
    return FALSE;
}

static gboolean parse_shape(const char *path, const char *header, int *rank, gint64 *dims,
                            GError **error)
{
    const char *at = header_value(header, "shape");
    if (!at || *at++ != '(')
        return fail(error, NPY_ERROR_DAMAGED, path, "the header has no shape");
    *rank = 0;
    while (*at != ')') {
        char *end;
        gint64 dim = g_ascii_strtoll(at, &end, 10);
        if (end == at || dim < 0)
            return fail(error, NPY_ERROR_DAMAGED, path, "the header's shape is damaged");
        if (*rank == NN_MAX_RANK)
            return fail(error, NPY_ERROR_UNSUPPORTED, path, "too many dimensions");
        dims[(*rank)++] = dim;
        for (at = end; *at == ',' || *at == ' '; at++) {
        }
    }
    return TRUE;
}

static gboolean parse_order(const char *path, const char *header, GError **error)
{
    const char *order = header_value(header, "fortran_order");
    if (!order)
        return fail(error, NPY_ERROR_DAMAGED, path, "the header does not tell the order");
    if (g_str_has_prefix(order, "False"))
        return TRUE;
    return fail(error, NPY_ERROR_UNSUPPORTED, path,
                "Fortran order; save it with numpy.ascontiguousarray()");
}

/* ---------------------------------------------------------------- files */

/* Finds the header's text in @bytes. @start_b: (out): where the data start. */
static char *read_header(const char *path, const guint8 *bytes, gsize size_b, gsize *start_b,
                         GError **error)
{
    if (size_b < MAGIC_B + 4 || memcmp(bytes, MAGIC, MAGIC_B) != 0) {
        fail(error, NPY_ERROR_DAMAGED, path, "not a .npy file");
        return NULL;
    }
    guint version = bytes[MAGIC_B];
    if (version < 1 || version > 3) {
        fail(error, NPY_ERROR_UNSUPPORTED, path, "a .npy version after 3");
        return NULL;
    }
    gsize length_b = version == 1 ? 2 : 4;
    gsize header_b = 0;
    for (gsize i = 0; i < length_b && MAGIC_B + 2 + i < size_b; i++)
        header_b |= (gsize)bytes[MAGIC_B + 2 + i] << (8 * i);
    *start_b = MAGIC_B + 2 + length_b + header_b;
    if (*start_b > size_b) {
        fail(error, NPY_ERROR_DAMAGED, path, "the file ends inside its header");
        return NULL;
    }
    return g_strndup((const char *)bytes + MAGIC_B + 2 + length_b, header_b);
}

NnArray *npy_load(const char *path, GError **error)
{
    g_autofree char *bytes = NULL;
    gsize size_b, start_b;
    if (!g_file_get_contents(path, &bytes, &size_b, error))
        return NULL;
    g_autofree char *header = read_header(path, (guint8 *)bytes, size_b, &start_b, error);
    NnType type;
    int rank;
    gint64 dims[NN_MAX_RANK];
    if (!header || !parse_type(path, header, &type, error) || !parse_order(path, header, error) ||
        !parse_shape(path, header, &rank, dims, error))
        return NULL;
    gsize n;
    if (!nn_dims_count(rank, dims, &n) || n != (size_b - start_b) / nn_type_size(type) ||
        (size_b - start_b) % nn_type_size(type) != 0) {
        fail(error, NPY_ERROR_DAMAGED, path, "the file's size does not fit its shape");
        return NULL;
    }
    NnArray *array = nn_array_new(type, rank, dims);
    if (!array) {
        fail(error, NPY_ERROR_UNSUPPORTED, path, "too large for the memory");
        return NULL;
    }
    memcpy(array->data, bytes + start_b, size_b - start_b);
    return array;
}

static GString *header_text(const NnArray *array)
{
    const char *code = "";
    for (gsize i = 0; i < G_N_ELEMENTS(element_types); i++) {
        if (element_types[i].type == array->type)
            code = element_types[i].code;
    }
    GString *text = g_string_new(NULL);
    g_string_printf(text, "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
                    nn_type_size(array->type) == 1 ? '|' : NATIVE, code);
    for (int i = 0; i < array->rank; i++)
        g_string_append_printf(text, i == 0 ? "%" G_GINT64_FORMAT "," : " %" G_GINT64_FORMAT ",",
                               array->dims[i]);
    g_string_append(text, "), }");
    gsize prefix_b = MAGIC_B + 4;
    while ((prefix_b + text->len + 1) % ALIGNMENT_B != 0)
        g_string_append_c(text, ' ');
    g_string_append_c(text, '\n');
    return text;
}

gboolean npy_save(const char *path, const NnArray *array, GError **error)
{
    GString *header = header_text(array);
    GByteArray *bytes = g_byte_array_new();
    guint8 length[2] = { header->len & 0xff, header->len >> 8 };
    g_byte_array_append(bytes, (const guint8 *)MAGIC "\x01", MAGIC_B + 2);
    g_byte_array_append(bytes, length, sizeof length);
    g_byte_array_append(bytes, (const guint8 *)header->str, header->len);
    g_string_free(header, TRUE);

    g_autoptr(GFile) file = g_file_new_for_path(path);
    g_autoptr(GFileOutputStream) stream =
        g_file_replace(file, NULL, FALSE, G_FILE_CREATE_REPLACE_DESTINATION, NULL, error);
    gboolean ok =
        stream &&
        g_output_stream_write_all(G_OUTPUT_STREAM(stream), bytes->data, bytes->len, NULL, NULL,
                                  error) &&
        g_output_stream_write_all(G_OUTPUT_STREAM(stream), array->data,
                                  array->n * nn_type_size(array->type), NULL, NULL, error) &&
        g_output_stream_close(G_OUTPUT_STREAM(stream), NULL, error);
    g_byte_array_unref(bytes);
    return ok;
}
