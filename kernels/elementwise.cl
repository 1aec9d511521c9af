/* elementwise.cl - operators whose output element depends on one element of each input.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * y[i] = act(OP(a[i], b[i], c[i])); broadcast inputs have strides of 0.
 *
 * Defines: OP, the ONNX name of the operator; T0 T1 T2 T, the types of the inputs and the output;
 *   RANK, ACT. elementwise_general: ROW, where it pays that divisions by the innermost extent are
 *   multiplications. elementwise_rows: VW and STEP0 STEP1 STEP2, each 0 or 1, the inputs' innermost
 *   strides. elementwise_wide: the same with WIDE_KERNEL in place of VW.
 * Buffers: a, b, c, y as the extents say; an operator with fewer inputs gets a in place of the
 *   others and ignores them. y may be one of the inputs.
 * Accumulation: float, or the integers' own type (at least 32 bits).
 * Launch: dimension 2 is the sample; the others beside each kernel.
 */
#include "common.clh"
#include "types.clh"
#include "index.clh"

#define A0 ARITHMETIC(T0)
#define A1 ARITHMETIC(T1)
#define A2 ARITHMETIC(T2)

/* ---- floats; p0 and p1 are the node's attributes. Those up to VECTORS END also take vectors. */

#define SOFTPLUS(a) (fmax(a, 0.0f) + log1p(exp(-fabs(a))))

#if IS_FLOAT(T0)
#define REMAINDER(a, b) fmod(a, b)
#define OP_Add(a, b, c) ((a) + (b))
#define OP_Sub(a, b, c) ((a) - (b))
#define OP_Mul(a, b, c) ((a) * (b))
#define OP_Div(a, b, c) ((a) / (b))
#define OP_Pow(a, b, c) pow(a, b)
#define OP_Max(a, b, c) fmax(a, b)
#define OP_Min(a, b, c) fmin(a, b)
#define OP_Sum(a, b, c) (((a) + (b)) * p0)
#define OP_Affine(a, b, c) fma(a, b, c)
#define OP_PRelu(a, b, c) (fmax(a, 0.0f) + (b)*fmin(a, 0.0f))
#define OP_Abs(a, b, c) fabs(a)
#define OP_Neg(a, b, c) (-(a))
#define OP_Ceil(a, b, c) ceil(a)
#define OP_Floor(a, b, c) floor(a)
#define OP_Round(a, b, c) rint(a)
#define OP_Sqrt(a, b, c) sqrt(a)
#define OP_Square(a, b, c) ((a) * (a))
#define OP_Reciprocal(a, b, c) (1.0f / (a))
#define OP_Exp(a, b, c) exp(a)
#define OP_Log(a, b, c) log(a)
#define OP_Erf(a, b, c) erf(a)
#define OP_Sin(a, b, c) sin(a)
#define OP_Cos(a, b, c) cos(a)
#define OP_Tan(a, b, c) tan(a)
#define OP_Asin(a, b, c) asin(a)
#define OP_Acos(a, b, c) acos(a)
#define OP_Atan(a, b, c) atan(a)
#define OP_Sinh(a, b, c) sinh(a)
#define OP_Cosh(a, b, c) cosh(a)
#define OP_Tanh(a, b, c) tanh(a)
#define OP_Asinh(a, b, c) asinh(a)
#define OP_Acosh(a, b, c) acosh(a)
#define OP_Atanh(a, b, c) atanh(a)
#define OP_Relu(a, b, c) fmax(a, 0.0f)
#define OP_LeakyRelu(a, b, c) (fmax(a, 0.0f) + p0 * fmin(a, 0.0f))
#define OP_Bounds(a, b, c) fmin(fmax(a, p0), p1)
#define OP_Sigmoid(a, b, c) (1.0f / (1.0f + exp(-(a))))
#define OP_HardSigmoid(a, b, c) fmin(fmax(p0 *(a) + p1, 0.0f), 1.0f)
#define OP_HardSwish(a, b, c) ((a)*fmin(fmax(p0 * (a) + p1, 0.0f), 1.0f))
#define OP_Elu(a, b, c) (fmax(a, 0.0f) + p0 * expm1(fmin(a, 0.0f)))
#define OP_Celu(a, b, c) (fmax(a, 0.0f) + fmin(p0 * expm1((a) / p0), 0.0f))
#define OP_Selu(a, b, c) (p1 * (fmax(a, 0.0f) + p0 * expm1(fmin(a, 0.0f))))
#define OP_Softplus(a, b, c) SOFTPLUS(a)
#define OP_Softsign(a, b, c) ((a) / (1.0f + fabs(a)))
#define OP_Mish(a, b, c) ((a)*tanh(SOFTPLUS(a)))
#define OP_Gelu(a, b, c) (0.5f * (a) * (1.0f + erf((a)*0.70710678f)))
#define OP_GeluTanh(a, b, c)                                                                       \
    (0.5f * (a) * (1.0f + tanh(0.79788456f * ((a) + 0.044715f * (a) * (a) * (a)))))
#define OP_Cast(a, b, c) (a)
/* VECTORS END */
#define OP_Fmod(a, b, c) REMAINDER(a, b)
#define OP_Mod(a, b, c) floored_remainder(a, b)
#define OP_Clip(a, b, c) fmin(fmax(a, b), c)
#define OP_Sign(a, b, c) ((float)((a) > 0.0f) - (float)((a) < 0.0f))
#define OP_ThresholdedRelu(a, b, c) ((a) > p0 ? (a) : 0.0f)
#define OP_Shrink(a, b, c) ((a) < -p1 ? (a) + p0 : (a) > p1 ? (a)-p0 : 0.0f)
#define OP_IsNaN(a, b, c) ((a) != (a))
#define OP_IsInf(a, b, c) ((p0 != 0.0f && (a) == -INFINITY) || (p1 != 0.0f && (a) == INFINITY))

/* ---- integers: no division may trap, whatever a file asks for */

#else
#define IS_SIGNED ((A0)-1 < 0)
#define OP_Add(a, b, c) ((a) + (b))
#define OP_Sub(a, b, c) ((a) - (b))
#define OP_Mul(a, b, c) ((a) * (b))
#define OP_Div(a, b, c) ((b) == 0 ? 0 : IS_SIGNED && (b) == (A0)-1 ? 0 - (a) : (a) / (b))
#define REMAINDER(a, b) ((b) == 0 || (IS_SIGNED && (b) == (A0)-1) ? 0 : (a) % (b))
#define OP_Fmod(a, b, c) REMAINDER(a, b)
#define OP_Mod(a, b, c) floored_remainder(a, b)
#define OP_Pow(a, b, c) integer_power(a, b)
#define OP_Max(a, b, c) max(a, b)
#define OP_Min(a, b, c) min(a, b)
#define OP_Sum(a, b, c) ((a) + (b))
#define OP_Clip(a, b, c) ((a) < (b) ? (b) : (a) > (c) ? (c) : (a))
#define OP_Abs(a, b, c) ((a) < 0 ? 0 - (a) : (a))
#define OP_Neg(a, b, c) (0 - (a))
#define OP_Relu(a, b, c) ((a) < 0 ? 0 : (a))
#define OP_PRelu(a, b, c) ((a) < 0 ? (a) * (b) : (a))
#define OP_Square(a, b, c) ((a) * (a))
#define OP_Sign(a, b, c) ((a) > 0 ? 1 : (a) < 0 ? -1 : 0)
#define OP_Shrink(a, b, c) ((A0)((a) < -p1 ? (a) + p0 : (a) > p1 ? (a)-p0 : 0.0f))
#define OP_BitShiftLeft(a, b, c) ((b) >= 8 * (int)sizeof(T0) ? 0 : (a) << (b))
#define OP_BitShiftRight(a, b, c) ((b) >= 8 * (int)sizeof(T0) ? 0 : (a) >> (b))
#define OP_BitwiseAnd(a, b, c) ((a) & (b))
#define OP_BitwiseOr(a, b, c) ((a) | (b))
#define OP_BitwiseXor(a, b, c) ((a) ^ (b))
#define OP_BitwiseNot(a, b, c) (~(a))
#define OP_And(a, b, c) ((a) && (b))
#define OP_Or(a, b, c) ((a) || (b))
#define OP_Xor(a, b, c) (!(a) != !(b))
#define OP_Not(a, b, c) (!(a))
#define OP_Where(a, b, c) ((a) ? (b) : (c))
#define OP_Cast(a, b, c) (a)

#if IS_FLOAT(T1)
#define integer_power(a, b) ((A0)pow((float)(a), b))
#else
static inline A0 integer_power(A0 a, A1 b)
{
    A0 result = b >= 0 || a == 1 ? 1 : a + 1 != 0 ? 0 : b % 2 ? a : 1;
    for (; b > 0; b >>= 1, a *= a)
        if (b & 1)
            result *= a;
    return result;
}
#endif
#endif

/* ---- both */

/* The remainder with the divisor's sign, as numpy's and ONNX's. */
static inline A0 floored_remainder(A0 a, A0 b)
{
    const A0 r = REMAINDER(a, b);
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

#define OP_Equal(a, b, c) ((a) == (b))
#define OP_Less(a, b, c) ((a) < (b))
#define OP_LessOrEqual(a, b, c) ((a) <= (b))
#define OP_Greater(a, b, c) ((a) > (b))
#define OP_GreaterOrEqual(a, b, c) ((a) >= (b))
#define OP_Truth(a, b, c) ((a) != 0) /* Cast to bool */

/* Floats become integers by truncation; what does not fit becomes the nearest that does. */
#define SATURATE(v) PASTE(SATURATE_, T)(v)
#define SATURATE_half(v) (v)
#define SATURATE_float(v) (v)
#define SATURATE_char(v) convert_char_sat_rtz(v)
#define SATURATE_uchar(v) convert_uchar_sat_rtz(v)
#define SATURATE_short(v) convert_short_sat_rtz(v)
#define SATURATE_ushort(v) convert_ushort_sat_rtz(v)
#define SATURATE_int(v) convert_int_sat_rtz(v)
#define SATURATE_uint(v) convert_uint_sat_rtz(v)
#define SATURATE_long(v) convert_long_sat_rtz(v)
#define SATURATE_ulong(v) convert_ulong_sat_rtz(v)
#define OP_Saturate(a, b, c) SATURATE(a) /* Cast from float to integer */
#define OP_Quantize(a, b, c) SATURATE(rint((float)(a) / (float)(b)) + (float)(c))
#define OP_Dequantize(a, b, c) (((float)(a) - (float)(c)) * (float)(b))

#define APPLY(a, b, c) ACTIVATE(PASTE(OP_, OP)(a, b, c), alpha, beta)

/* @each elements a work-item, found anew only where a row of the innermost axis ends.
 * Global: ceil(elements / each), rounded up. */
__kernel void elementwise_general(__global const T0 *a, Strided as, __global const T1 *b,
                                  Strided bs, __global const T2 *c, Strided cs, __global T *y,
                                  Strided ys, Extents extents, int count, int each, float p0,
                                  float p1, float alpha, float beta)
{
    const int n = get_global_id(2);
    const int end = min(((int)get_global_id(0) + 1) * each, count);
#ifdef ROW
    extents.n[RANK - 1] = ROW;
#endif
    const int row = extents.n[RANK - 1];
    a += as.offset + n * as.sample;
    b += bs.offset + n * bs.sample;
    c += cs.offset + n * cs.sample;
    y += ys.offset + n * ys.sample;
    for (int i = get_global_id(0) * each, left; i < end; i += left) {
        left = min(row - i % row, end - i);
        __global const T0 *pa = a + place_of(i, extents, as);
        __global const T1 *pb = b + place_of(i, extents, bs);
        __global const T2 *pc = c + place_of(i, extents, cs);
        __global T *py = y + place_of(i, extents, ys);
        for (int k = 0; k < left; k++) {
            const A0 va = READ(T0, pa, k * as.stride[RANK - 1]);
            const A1 vb = READ(T1, pb, k * bs.stride[RANK - 1]);
            const A2 vc = READ(T2, pc, k * cs.stride[RANK - 1]);
            WRITE(T, py, k * ys.stride[RANK - 1], APPLY(va, vb, vc));
        }
    }
}

#ifdef VW

#include "vectors.clh"

#define OPERAND(k, p, i) (STEP##k ? VREAD(T##k, (p) + (i)) : (V)(READ(T##k, p, 0)))

/* Runs of elements that lie side by side in the output, and side by side or all the same in the
 * inputs; all types are float or half. One work-item: @chunk elements of each of @rows_each runs.
 * Global: ceil(run / chunk), ceil(rows / rows_each). */
__kernel void elementwise_rows(__global const T0 *a, Strided as, __global const T1 *b, Strided bs,
                               __global const T2 *c, Strided cs, __global T *y, Strided ys,
                               Extents extents, int run, int chunk, int rows, int rows_each,
                               float p0, float p1, float alpha, float beta)
{
    const int n = get_global_id(2);
    const int start = get_global_id(0) * chunk, stop = min(start + chunk, run);
    const int row0 = get_global_id(1) * rows_each, row1 = min(row0 + rows_each, rows);

    a += as.offset + n * as.sample + start * STEP0;
    b += bs.offset + n * bs.sample + start * STEP1;
    c += cs.offset + n * cs.sample + start * STEP2;
    y += ys.offset + n * ys.sample + start;
    for (int row = row0; row < row1; row++) {
        __global const T0 *pa = a + place_of(row, extents, as);
        __global const T1 *pb = b + place_of(row, extents, bs);
        __global const T2 *pc = c + place_of(row, extents, cs);
        __global T *py = y + place_of(row, extents, ys);
        int i = 0;
        for (; i + VW <= stop - start; i += VW) {
            const V va = OPERAND(0, pa, i), vb = OPERAND(1, pb, i), vc = OPERAND(2, pc, i);
            VWRITE(T, APPLY(va, vb, vc), py + i);
        }
        for (; i < stop - start; i++) {
            const float va = READ(T0, pa, i * STEP0), vb = READ(T1, pb, i * STEP1),
                        vc = READ(T2, pc, i * STEP2);
            WRITE(T, py, i, APPLY(va, vb, vc));
        }
    }
}

#endif

#ifdef WIDE_KERNEL

#include "wide.clh"

#define WIDE_OPERAND(k, p) (STEP##k ? WIDE_READ(T##k, p) : (float8)(READ(T##k, p, 0)))

/* As elementwise_rows, for GPUs: one work-item takes eight elements, @blocks of which make a run.
 * Whatever has a step of 1 lies in whole aligned blocks. Global: all blocks, rounded up. */
__kernel void elementwise_wide(__global const T0 *a, Strided as, __global const T1 *b, Strided bs,
                               __global const T2 *c, Strided cs, __global T *y, Strided ys,
                               Extents extents, int blocks, int count, float p0, float p1,
                               float alpha, float beta)
{
    const int n = get_global_id(2);
    const int i = get_global_id(0);
    if (i >= count)
        return;
    const int row = i / blocks, at = (i - row * blocks) * WIDE;
    a += as.offset + n * as.sample + place_of(row, extents, as) + at * STEP0;
    b += bs.offset + n * bs.sample + place_of(row, extents, bs) + at * STEP1;
    c += cs.offset + n * cs.sample + place_of(row, extents, cs) + at * STEP2;
    y += ys.offset + n * ys.sample + place_of(row, extents, ys) + at;
    const float8 va = WIDE_OPERAND(0, a), vb = WIDE_OPERAND(1, b), vc = WIDE_OPERAND(2, c);
    WIDE_WRITE(T, y, APPLY(va, vb, vc));
}

#endif
