/* array.c - dense tensors in host memory: making them, converting them, reading elements.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "array.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Sizes come from files; no network that this engine is for has a tensor near this. */
#define MAX_SIZE_B ((gsize)2 << 30)
#define ALIGNMENT_B 64

gsize nn_type_size(NnType type)
{
    switch (type) {
    case NN_UINT8:
    case NN_INT8:
    case NN_BOOL:
        return 1;
    case NN_UINT16:
    case NN_INT16:
    case NN_FLOAT16:
        return 2;
    case NN_FLOAT32:
    case NN_INT32:
    case NN_UINT32:
        return 4;
    case NN_FLOAT64:
    case NN_INT64:
    case NN_UINT64:
        return 8;
    case NN_UNKNOWN:
        break;
    }
    return 0;
}

const char *nn_type_name(NnType type)
{
    static const char *const names[] = {
        [NN_FLOAT32] = "float32", [NN_UINT8] = "uint8",   [NN_INT8] = "int8",
        [NN_UINT16] = "uint16",   [NN_INT16] = "int16",   [NN_INT32] = "int32",
        [NN_INT64] = "int64",     [NN_BOOL] = "bool",     [NN_FLOAT16] = "float16",
        [NN_FLOAT64] = "float64", [NN_UINT32] = "uint32", [NN_UINT64] = "uint64",
    };

    return nn_type_size(type) ? names[type] : "unknown";
}

gboolean nn_type_is_float(NnType type)
{
    return type == NN_FLOAT16 || type == NN_FLOAT32 || type == NN_FLOAT64;
}

/* ---------------------------------------------------------------- halves */

static guint32 float_bits(float value)
{
    guint32 bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float bits_float(guint32 bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

float nn_half_to_float(guint16 half)
{
    const guint32 sign = (guint32)(half & 0x8000) << 16;
    const guint32 exponent = (half >> 10) & 0x1f, mantissa = half & 0x3ff;

    if (exponent == 0) /* zero and denormals: multiples of 2^-24 */
        return bits_float(sign | float_bits((float)mantissa * 0x1p-24f));
    if (exponent == 0x1f)
        return bits_float(sign | 0x7f800000 | mantissa << 13);
    return bits_float(sign | (exponent + 127 - 15) << 23 | mantissa << 13);
}

/* Rounds to nearest, ties to even. */
guint16 nn_float_to_half(float value)
{
    const guint32 bits = float_bits(value), magnitude = bits & 0x7fffffff;
    const guint16 sign = (bits >> 16) & 0x8000;

    if (magnitude > 0x7f800000) /* NaN */
        return sign | 0x7e00;
    if (magnitude >= 0x477ff000) /* 65520 and more round to infinity */
        return sign | 0x7c00;
    if (magnitude < 0x38800000) /* below 2^-14: at 0.5 a float's last bit is a half's, 2^-24 */
        return sign | (float_bits(bits_float(magnitude) + 0.5f) - float_bits(0.5f));
    return sign | ((magnitude - (112u << 23) + 0xfff + ((magnitude >> 13) & 1)) >> 13);
}

/* ---------------------------------------------------------------- arrays */

gboolean nn_dims_count(int rank, const gint64 *dims, gsize *n)
{
    gboolean overflow = FALSE;

    *n = 1;
    for (int i = 0; i < rank; i++) {
        if (dims[i] < 0)
            return FALSE;
        overflow |= !g_size_checked_mul(n, *n, dims[i]);
    }
    /* An empty tensor has no elements however long its other axes are. */
    for (int i = 0; i < rank; i++) {
        if (dims[i] == 0) {
            *n = 0;
            return TRUE;
        }
    }
    return !overflow;
}

NnArray *nn_array_new(NnType type, int rank, const gint64 *dims)
{
    const gsize element_b = nn_type_size(type);
    gsize n;

    if (element_b == 0 || rank < 0 || rank > NN_MAX_RANK || !nn_dims_count(rank, dims, &n) ||
        n > MAX_SIZE_B / element_b)
        return NULL;

    NnArray *array = g_new0(NnArray, 1);
    const gsize size_b = MAX(n * element_b, 1);
    if (posix_memalign(&array->data, ALIGNMENT_B, size_b) != 0) {
        g_free(array);
        return NULL;
    }
    memset(array->data, 0, size_b);
    g_atomic_ref_count_init(&array->ref_count);
    array->type = type;
    array->rank = rank;
    array->n = n;
    if (rank > 0)
        memcpy(array->dims, dims, rank * sizeof *dims);
    return array;
}

NnArray *nn_array_ref(NnArray *array)
{
    g_atomic_ref_count_inc(&array->ref_count);
    return array;
}

void nn_array_unref(NnArray *array)
{
    if (!g_atomic_ref_count_dec(&array->ref_count))
        return;
    free(array->data);
    g_free(array);
}

NnArray *nn_array_reshaped(const NnArray *array, int rank, const gint64 *dims)
{
    NnArray *reshaped = nn_array_new(array->type, rank, dims);

    if (!reshaped)
        return NULL;
    if (reshaped->n != array->n) {
        nn_array_unref(reshaped);
        return NULL;
    }
    memcpy(reshaped->data, array->data, array->n * nn_type_size(array->type));
    return reshaped;
}

NnArray *nn_array_cast(const NnArray *array, NnType type)
{
    NnArray *cast = nn_array_new(type, array->rank, array->dims);

    if (!cast)
        return NULL;
    if (type == array->type)
        memcpy(cast->data, array->data, array->n * nn_type_size(type));
    else if (nn_type_is_float(array->type) || nn_type_is_float(type))
        for (gsize i = 0; i < array->n; i++)
            nn_array_set(cast, i, nn_array_get(array, i));
    else
        for (gsize i = 0; i < array->n; i++)
            nn_array_set_int(cast, i, nn_array_get_int(array, i));
    return cast;
}

/* ---------------------------------------------------------------- elements */

double nn_array_get(const NnArray *array, gsize i)
{
    switch (array->type) {
    case NN_FLOAT32:
        return ((const float *)array->data)[i];
    case NN_FLOAT64:
        return ((const double *)array->data)[i];
    case NN_FLOAT16:
        return nn_half_to_float(((const guint16 *)array->data)[i]);
    case NN_UINT64:
        return ((const guint64 *)array->data)[i];
    default:
        return nn_array_get_int(array, i);
    }
}

/* Towards zero; what does not fit becomes the nearest that does, NaN becomes 0. */
static gint64 saturate(double value, gint64 low, gint64 high)
{
    if (isnan(value))
        return 0;
    if (value <= (double)low)
        return low;
    return value >= (double)high ? high : (gint64)value;
}

static guint64 saturate_unsigned(double value)
{
    if (!(value > 0))
        return 0;
    return value >= 0x1p64 ? G_MAXUINT64 : (guint64)value;
}

gint64 nn_array_get_int(const NnArray *array, gsize i)
{
    switch (array->type) {
    case NN_UINT8:
        return ((const guint8 *)array->data)[i];
    case NN_BOOL:
        return ((const guint8 *)array->data)[i] != 0;
    case NN_INT8:
        return ((const gint8 *)array->data)[i];
    case NN_UINT16:
        return ((const guint16 *)array->data)[i];
    case NN_INT16:
        return ((const gint16 *)array->data)[i];
    case NN_INT32:
        return ((const gint32 *)array->data)[i];
    case NN_UINT32:
        return ((const guint32 *)array->data)[i];
    case NN_INT64:
    case NN_UINT64:
        return ((const gint64 *)array->data)[i];
    default:
        return saturate(nn_array_get(array, i), G_MININT64, G_MAXINT64);
    }
}

void nn_array_set(NnArray *array, gsize i, double value)
{
    switch (array->type) {
    case NN_FLOAT32:
        ((float *)array->data)[i] = value;
        break;
    case NN_FLOAT64:
        ((double *)array->data)[i] = value;
        break;
    case NN_FLOAT16:
        ((guint16 *)array->data)[i] = nn_float_to_half(value);
        break;
    case NN_BOOL:
        ((guint8 *)array->data)[i] = value != 0;
        break;
    case NN_UINT8:
        ((guint8 *)array->data)[i] = saturate(value, 0, G_MAXUINT8);
        break;
    case NN_INT8:
        ((gint8 *)array->data)[i] = saturate(value, G_MININT8, G_MAXINT8);
        break;
    case NN_UINT16:
        ((guint16 *)array->data)[i] = saturate(value, 0, G_MAXUINT16);
        break;
    case NN_INT16:
        ((gint16 *)array->data)[i] = saturate(value, G_MININT16, G_MAXINT16);
        break;
    case NN_INT32:
        ((gint32 *)array->data)[i] = saturate(value, G_MININT32, G_MAXINT32);
        break;
    case NN_UINT32:
        ((guint32 *)array->data)[i] = saturate(value, 0, G_MAXUINT32);
        break;
    case NN_INT64:
        ((gint64 *)array->data)[i] = saturate(value, G_MININT64, G_MAXINT64);
        break;
    case NN_UINT64:
        ((guint64 *)array->data)[i] = saturate_unsigned(value);
        break;
    case NN_UNKNOWN:
        break;
    }
}

/* Between integers only the low bits count, as in C. */
void nn_array_set_int(NnArray *array, gsize i, gint64 value)
{
    switch (array->type) {
    case NN_BOOL:
        ((guint8 *)array->data)[i] = value != 0;
        break;
    case NN_UINT8:
    case NN_INT8:
        ((guint8 *)array->data)[i] = value;
        break;
    case NN_UINT16:
    case NN_INT16:
        ((guint16 *)array->data)[i] = value;
        break;
    case NN_UINT32:
    case NN_INT32:
        ((guint32 *)array->data)[i] = value;
        break;
    case NN_UINT64:
    case NN_INT64:
        ((guint64 *)array->data)[i] = value;
        break;
    default:
        nn_array_set(array, i, value);
        break;
    }
}
