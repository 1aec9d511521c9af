/* array.h - a dense tensor in host memory: constants, inputs and outputs, reference results.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define NN_MAX_RANK 8

/* Element types; the values are those of ONNX's TensorProto.DataType. */
typedef enum {
    NN_UNKNOWN = 0,
    NN_FLOAT32 = 1,
    NN_UINT8 = 2,
    NN_INT8 = 3,
    NN_UINT16 = 4,
    NN_INT16 = 5,
    NN_INT32 = 6,
    NN_INT64 = 7,
    NN_BOOL = 9, /* one byte, 0 or 1 */
    NN_FLOAT16 = 10,
    NN_FLOAT64 = 11,
    NN_UINT32 = 12,
    NN_UINT64 = 13,
} NnType;

/* Bytes of one element; 0 for a type that is not supported (strings, complex, bfloat16). */
gsize nn_type_size(NnType type);
/* "float32", "int64", ... as numpy names them. */
const char *nn_type_name(NnType type);
/* TRUE for float16, float32 and float64. */
gboolean nn_type_is_float(NnType type);

/* A dense row-major tensor. Immutable once shared; reference counted, any thread. */
typedef struct {
    gatomicrefcount ref_count;
    NnType type;
    int rank;
    gint64 dims[NN_MAX_RANK];
    gsize n;    /* elements: the product of the dims; 1 for rank 0 */
    void *data; /* n elements, 64-byte aligned */
} NnArray;

/* A zeroed array. NULL if the size overflows or memory is short (sizes come from files). */
NnArray *nn_array_new(NnType type, int rank, const gint64 *dims);
NnArray *nn_array_ref(NnArray *array);
void nn_array_unref(NnArray *array);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NnArray, nn_array_unref)

/* The same elements under other dims of the same count, as a copy. */
NnArray *nn_array_reshaped(const NnArray *array, int rank, const gint64 *dims);
/* The elements converted to @type: floats saturate to integers as ONNX's Cast does. */
NnArray *nn_array_cast(const NnArray *array, NnType type);

/* Element @i as a number, whatever the type. Exact for integers up to 64 bits with nn_array_int().
 */
double nn_array_get(const NnArray *array, gsize i);
gint64 nn_array_get_int(const NnArray *array, gsize i);
void nn_array_set(NnArray *array, gsize i, double value);
void nn_array_set_int(NnArray *array, gsize i, gint64 value);

/* Product of @rank dims; FALSE when it overflows or a dim is negative. */
gboolean nn_dims_count(int rank, const gint64 *dims, gsize *n);

float nn_half_to_float(guint16 half);
guint16 nn_float_to_half(float value);

G_END_DECLS
