/* onnx_tensor.c - turns serialised tensors into arrays, from the model file or from beside it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "onnx.h"

#include <string.h>

#include "onnx.pb-c.h"

/* A graph in an attribute of a node of a graph is three levels; deepest use known is about 20. */
#define MAX_NESTING 64

/* ---------------------------------------------------------------- files */

GBytes *nn_onnx_map_file(const char *path, GError **error)
{
    if (g_file_test(path, G_FILE_TEST_EXISTS) && !g_file_test(path, G_FILE_TEST_IS_REGULAR)) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "'%s' is not a regular file", path);
        return NULL;
    }
    g_autoptr(GMappedFile) file = g_mapped_file_new(path, FALSE, error);
    return file ? g_mapped_file_get_bytes(file) : NULL;
}

/* Reads a varint of at most @max_bytes; FALSE where protobuf-c gives up, too. */
static gboolean read_varint(const guint8 **data, const guint8 *end, guint max_bytes, guint64 *value)
{
    *value = 0;
    for (guint i = 0; i < max_bytes && *data < end; i++) {
        const guint8 byte = *(*data)++;
        *value |= (guint64)(byte & 0x7f) << (7 * i);
        if (byte < 0x80)
            return TRUE;
    }
    return FALSE;
}

/* What is damaged is left to the unpacker; only depth counts here. */
static gboolean nesting_fits(const ProtobufCMessageDescriptor *type, const guint8 *data,
                             const guint8 *end, guint levels_left)
{
    guint64 tag, n;

    if (levels_left == 0)
        return FALSE;
    while (data < end && read_varint(&data, end, 5, &tag)) {
        const guint wire_type = tag & 7;
        n = wire_type == PROTOBUF_C_WIRE_TYPE_64BIT ? 8 : 4;
        if (wire_type == PROTOBUF_C_WIRE_TYPE_VARINT) {
            if (!read_varint(&data, end, 10, &n))
                return TRUE;
            continue;
        }
        if (wire_type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED && !read_varint(&data, end, 5, &n))
            return TRUE;
        if (n > (gsize)(end - data))
            return TRUE;
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(type, (guint32)tag >> 3);
        if (field && field->type == PROTOBUF_C_TYPE_MESSAGE &&
            wire_type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED &&
            !nesting_fits(field->descriptor, data, data + n, levels_left - 1))
            return FALSE;
        data += n;
    }
    return TRUE;
}

gboolean nn_onnx_check_nesting(gconstpointer type, GBytes *bytes, GError **error)
{
    gsize size_b;
    const guint8 *data = g_bytes_get_data(bytes, &size_b);

    if (size_b == 0 || nesting_fits(type, data, data + size_b, MAX_NESTING))
        return TRUE;
    g_set_error(error, NN_ERROR, NN_ERROR_BAD_MODEL, "nested more than %d levels deep",
                MAX_NESTING);
    return FALSE;
}

/* ---------------------------------------------------------------- elements */

static gboolean tensor_error(const Onnx__TensorProto *proto, GError **error, NnError code,
                             const char *format, ...) G_GNUC_PRINTF(4, 5);

static gboolean tensor_error(const Onnx__TensorProto *proto, GError **error, NnError code,
                             const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, NN_ERROR, code, "tensor '%s': %s", proto->name ? proto->name : "", message);
    return FALSE;
}

/* Files are little-endian; a bool is any byte there, but 0 or 1 here. */
static void fix_elements(NnArray *array)
{
    const gsize element_b = nn_type_size(array->type);
    guint8 *data = array->data;

    if (G_BYTE_ORDER == G_BIG_ENDIAN)
        for (gsize i = 0; i < array->n; i++)
            for (gsize k = 0; k < element_b / 2; k++) {
                guint8 *low = &data[i * element_b + k], *high = &data[(i + 1) * element_b - 1 - k];
                const guint8 swap = *low;
                *low = *high;
                *high = swap;
            }
    for (gsize i = 0; array->type == NN_BOOL && i < array->n; i++)
        data[i] = data[i] != 0;
}

static gboolean check_amount(const Onnx__TensorProto *proto, gsize there, gsize wanted,
                             const char *unit, GError **error)
{
    if (there == wanted)
        return TRUE;
    return tensor_error(proto, error, NN_ERROR_BAD_MODEL,
                        "%" G_GSIZE_FORMAT " %s of data, but its shape takes %" G_GSIZE_FORMAT,
                        there, unit, wanted);
}

static NnArray *make_array(const Onnx__TensorProto *proto, GError **error)
{
    gint64 dims[NN_MAX_RANK] = { 0 };

    for (gsize i = 0; i < proto->n_dims; i++)
        dims[i] = proto->dims[i];
    NnArray *array = nn_array_new((NnType)proto->data_type, (int)proto->n_dims, dims);
    if (!array)
        tensor_error(proto, error, NN_ERROR_TOO_LARGE, "does not fit memory");
    return array;
}

static NnArray *from_bytes(const Onnx__TensorProto *proto, gsize n, const guint8 *data,
                           gsize size_b, GError **error)
{
    if (!check_amount(proto, size_b, n * nn_type_size((NnType)proto->data_type), "bytes", error))
        return NULL;
    NnArray *array = make_array(proto, error);
    if (array && size_b > 0) {
        memcpy(array->data, data, size_b);
        fix_elements(array);
    }
    return array;
}

/* The list of numbers that holds elements of the tensor's type. */
static gsize typed_count(const Onnx__TensorProto *proto)
{
    switch ((NnType)proto->data_type) {
    case NN_FLOAT32:
        return proto->n_float_data;
    case NN_FLOAT64:
        return proto->n_double_data;
    case NN_INT64:
        return proto->n_int64_data;
    case NN_UINT32:
    case NN_UINT64:
        return proto->n_uint64_data;
    default:
        return proto->n_int32_data;
    }
}

static void set_typed_element(NnArray *array, const Onnx__TensorProto *proto, gsize i)
{
    switch (array->type) {
    case NN_FLOAT32:
        ((float *)array->data)[i] = proto->float_data[i];
        break;
    case NN_FLOAT64:
        ((double *)array->data)[i] = proto->double_data[i];
        break;
    case NN_FLOAT16: /* as the bits of a half */
        ((guint16 *)array->data)[i] = proto->int32_data[i];
        break;
    case NN_INT64:
        ((gint64 *)array->data)[i] = proto->int64_data[i];
        break;
    case NN_UINT32:
    case NN_UINT64:
        nn_array_set_int(array, i, proto->uint64_data[i]);
        break;
    default:
        nn_array_set_int(array, i, proto->int32_data[i]);
        break;
    }
}

static NnArray *from_typed_data(const Onnx__TensorProto *proto, gsize n, GError **error)
{
    if (!check_amount(proto, typed_count(proto), n, "elements", error))
        return NULL;
    NnArray *array = make_array(proto, error);
    for (gsize i = 0; array && i < n; i++)
        set_typed_element(array, proto, i);
    return array;
}

/* ---------------------------------------------------------------- data beside the model */

typedef struct {
    const char *location;
    gint64 offset, length; /* length -1: not given */
} External;

static gboolean parse_external(const Onnx__TensorProto *proto, External *external, GError **error)
{
    *external = (External){ NULL, 0, -1 };
    for (gsize i = 0; i < proto->n_external_data; i++) {
        const Onnx__StringStringEntryProto *entry = proto->external_data[i];
        if (!entry->key || !entry->value)
            continue;
        gint64 *number = strcmp(entry->key, "offset") == 0   ? &external->offset
                         : strcmp(entry->key, "length") == 0 ? &external->length
                                                             : NULL;
        if (strcmp(entry->key, "location") == 0)
            external->location = entry->value;
        else if (number && !g_ascii_string_to_signed(entry->value, 10, 0, G_MAXINT64, number, NULL))
            return tensor_error(proto, error, NN_ERROR_BAD_MODEL, "external %s is '%s'", entry->key,
                                entry->value);
    }
    if (!external->location || !*external->location)
        return tensor_error(proto, error, NN_ERROR_BAD_MODEL, "external data without location");
    return TRUE;
}

/* A model may come from anywhere: it must not name files outside its own folder. */
static gboolean check_location(const Onnx__TensorProto *proto, const char *location, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(location, "/", -1);

    if (g_path_is_absolute(location) || g_strv_contains((const char *const *)parts, ".."))
        return tensor_error(proto, error, NN_ERROR_BAD_MODEL,
                            "external data '%s' lies outside the model's folder", location);
    return TRUE;
}

/* Returns: (transfer none). */
static GBytes *open_external(NnOnnxFolder *folder, const char *location, GError **error)
{
    GBytes *bytes = g_hash_table_lookup(folder->files, location);
    if (bytes)
        return bytes;

    g_autofree char *path = g_build_filename(folder->folder, location, NULL);
    bytes = nn_onnx_map_file(path, error);
    if (bytes)
        g_hash_table_insert(folder->files, g_strdup(location), bytes);
    return bytes;
}

static NnArray *from_external(const Onnx__TensorProto *proto, gsize n, NnOnnxFolder *folder,
                              GError **error)
{
    const gsize wanted_b = n * nn_type_size((NnType)proto->data_type);
    External external;
    gsize size_b;

    if (!parse_external(proto, &external, error) ||
        !check_location(proto, external.location, error))
        return NULL;
    if (!folder || !folder->folder) {
        tensor_error(proto, error, NN_ERROR_BAD_MODEL,
                     "its data is in the file '%s', but the model is not a file",
                     external.location);
        return NULL;
    }
    GBytes *bytes = open_external(folder, external.location, error);
    if (!bytes) {
        g_prefix_error(error, "tensor '%s': ", proto->name ? proto->name : "");
        return NULL;
    }
    const guint8 *data = g_bytes_get_data(bytes, &size_b);
    if (external.length >= 0 &&
        !check_amount(proto, (gsize)external.length, wanted_b, "bytes", error))
        return NULL;
    if ((gsize)external.offset > size_b || wanted_b > size_b - (gsize)external.offset) {
        tensor_error(proto, error, NN_ERROR_BAD_MODEL, "'%s' ends before its data",
                     external.location);
        return NULL;
    }
    return from_bytes(proto, n, data ? data + external.offset : NULL, wanted_b, error);
}

/* ---------------------------------------------------------------- tensors */

/* Nothing is allocated before the data is known to be there: dims alone may say anything. */
static gboolean check_shape(const Onnx__TensorProto *proto, gsize *n, GError **error)
{
    if (nn_type_size((NnType)proto->data_type) == 0)
        return tensor_error(proto, error, NN_ERROR_UNSUPPORTED,
                            "its element type (number %d of TensorProto.DataType) is not supported",
                            proto->data_type);
    if (proto->segment)
        return tensor_error(proto, error, NN_ERROR_UNSUPPORTED, "is split into segments");
    if (proto->n_dims > NN_MAX_RANK)
        return tensor_error(proto, error, NN_ERROR_UNSUPPORTED,
                            "%" G_GSIZE_FORMAT " axes, more than %d", proto->n_dims, NN_MAX_RANK);
    if (!nn_dims_count((int)proto->n_dims, proto->dims, n))
        return tensor_error(proto, error, NN_ERROR_BAD_MODEL, "its shape is impossible");
    if (*n > G_MAXSSIZE / 8)
        return tensor_error(proto, error, NN_ERROR_TOO_LARGE, "does not fit memory");
    return TRUE;
}

NnArray *nn_onnx_tensor(const Onnx__TensorProto *proto, NnOnnxFolder *folder, GError **error)
{
    gsize n;

    if (!check_shape(proto, &n, error))
        return NULL;
    if (proto->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
        return from_external(proto, n, folder, error);
    if (proto->has_raw_data)
        return from_bytes(proto, n, proto->raw_data.data, proto->raw_data.len, error);
    return from_typed_data(proto, n, error);
}

NnArray *nn_onnx_tensor_load_bytes(GBytes *bytes, const char *name, GError **error)
{
    gsize size_b;
    const guint8 *data = g_bytes_get_data(bytes, &size_b);
    NnArray *array = NULL;

    if (nn_onnx_check_nesting(&onnx__tensor_proto__descriptor, bytes, error)) {
        Onnx__TensorProto *proto = onnx__tensor_proto__unpack(NULL, size_b, data);
        if (proto)
            array = nn_onnx_tensor(proto, NULL, error);
        else
            g_set_error(error, NN_ERROR, NN_ERROR_BAD_MODEL, "not a tensor, or damaged");
        onnx__tensor_proto__free_unpacked(proto, NULL);
    }
    if (!array)
        g_prefix_error(error, "%s: ", name);
    return array;
}

NnArray *nn_onnx_tensor_load(const char *path, GError **error)
{
    g_autoptr(GBytes) bytes = nn_onnx_map_file(path, error);

    return bytes ? nn_onnx_tensor_load_bytes(bytes, path, error) : NULL;
}
