/* builtins.cl - the built-in functions that kernels call; no kernels.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Goes in front of each program for compilers that would otherwise read a header of all built-in
 * functions, 0.9 MB, every time (gst/ocl/program.c). A kernel that calls what is not declared here
 * still compiles, with that header, but takes longer: then add the function, with all of the types
 * below, so that no other overload is taken in its place. There is no double, as in the kernels.
 */
#define FUNCTION __attribute__((overloadable, const))
#define LOADER __attribute__((overloadable, pure))
#define STORER __attribute__((overloadable))

#define EACH_VECTOR(M, T, f) M(T, 2, f) M(T, 3, f) M(T, 4, f) M(T, 8, f) M(T, 16, f)
#define EACH_WIDTH(M, T, f) M(T, , f) EACH_VECTOR(M, T, f)
#define EACH_INTEGER(EACH, M, f)                                                                   \
    EACH(M, char, f) EACH(M, uchar, f) EACH(M, short, f) EACH(M, ushort, f)                        \
    EACH(M, int, f) EACH(M, uint, f) EACH(M, long, f) EACH(M, ulong, f)
#define SCALAR(M, T, f) M(T, , f)

/* ---------------------------------------------------------------- work-items */

size_t FUNCTION get_global_id(uint dim);
size_t FUNCTION get_global_size(uint dim);
size_t FUNCTION get_local_id(uint dim);
size_t FUNCTION get_local_size(uint dim);
size_t FUNCTION get_group_id(uint dim);
size_t FUNCTION get_num_groups(uint dim);
void __attribute__((overloadable, convergent)) barrier(cl_mem_fence_flags flags);

/* ---------------------------------------------------------------- arithmetic */

#define OF_ONE(T, n, f) T##n FUNCTION f(T##n x);
#define OF_TWO(T, n, f) T##n FUNCTION f(T##n x, T##n y);
#define OF_THREE(T, n, f) T##n FUNCTION f(T##n x, T##n y, T##n z);
#define AND_SCALAR(T, n, f) T##n FUNCTION f(T##n x, T y);
#define AND_TWO_SCALARS(T, n, f) T##n FUNCTION f(T##n x, T y, T z);
#define AND_THIRD_SCALAR(T, n, f) T##n FUNCTION f(T##n x, T##n y, T z);
#define BETWEEN_SCALARS(T, n, f) T##n FUNCTION f(T x, T y, T##n z);
#define TEST(T, n, f) int##n FUNCTION f(T##n x);
#define PRODUCT(T, n, f) T FUNCTION f(T##n x, T##n y);

#define FLOATS(M, f) EACH_WIDTH(M, float, f)
#define FLOAT_VECTORS(M, f) EACH_VECTOR(M, float, f)
#define INTEGERS(M, f) EACH_INTEGER(EACH_WIDTH, M, f)
#define INTEGER_VECTORS(M, f) EACH_INTEGER(EACH_VECTOR, M, f)

FLOATS(OF_ONE, acos) FLOATS(OF_ONE, acosh) FLOATS(OF_ONE, asin) FLOATS(OF_ONE, asinh)
FLOATS(OF_ONE, atan) FLOATS(OF_ONE, atanh) FLOATS(OF_ONE, ceil) FLOATS(OF_ONE, cos)
FLOATS(OF_ONE, cosh) FLOATS(OF_ONE, erf) FLOATS(OF_ONE, exp) FLOATS(OF_ONE, expm1)
FLOATS(OF_ONE, fabs) FLOATS(OF_ONE, floor) FLOATS(OF_ONE, log) FLOATS(OF_ONE, log1p)
FLOATS(OF_ONE, rint) FLOATS(OF_ONE, sin) FLOATS(OF_ONE, sinh) FLOATS(OF_ONE, sqrt)
FLOATS(OF_ONE, tan) FLOATS(OF_ONE, tanh)
FLOATS(OF_TWO, fmod) FLOATS(OF_TWO, hypot) FLOATS(OF_TWO, pow) FLOATS(OF_TWO, powr)
FLOATS(OF_TWO, fmax) FLOAT_VECTORS(AND_SCALAR, fmax)
FLOATS(OF_TWO, fmin) FLOAT_VECTORS(AND_SCALAR, fmin)
FLOATS(OF_THREE, fma)
FLOATS(OF_THREE, mix) FLOAT_VECTORS(AND_THIRD_SCALAR, mix)
FLOATS(OF_THREE, smoothstep) FLOAT_VECTORS(BETWEEN_SCALARS, smoothstep)
FLOATS(TEST, isfinite) FLOATS(TEST, isnan)
PRODUCT(float, , dot) PRODUCT(float, 2, dot) PRODUCT(float, 3, dot) PRODUCT(float, 4, dot)

FLOATS(OF_TWO, max) FLOAT_VECTORS(AND_SCALAR, max)
INTEGERS(OF_TWO, max) INTEGER_VECTORS(AND_SCALAR, max)
FLOATS(OF_TWO, min) FLOAT_VECTORS(AND_SCALAR, min)
INTEGERS(OF_TWO, min) INTEGER_VECTORS(AND_SCALAR, min)
FLOATS(OF_THREE, clamp) FLOAT_VECTORS(AND_TWO_SCALARS, clamp)
INTEGERS(OF_THREE, clamp) INTEGER_VECTORS(AND_TWO_SCALARS, clamp)

#define MAGNITUDE(T, n, f) u##T##n FUNCTION f(T##n x); u##T##n FUNCTION f(u##T##n x);
EACH_WIDTH(MAGNITUDE, char, abs) EACH_WIDTH(MAGNITUDE, short, abs)
EACH_WIDTH(MAGNITUDE, int, abs) EACH_WIDTH(MAGNITUDE, long, abs)

#define SELECTION(T, n, f)                                                                         \
    T##n FUNCTION f(T##n x, T##n y, int##n z); T##n FUNCTION f(T##n x, T##n y, uint##n z);
FLOATS(SELECTION, select)
EACH_WIDTH(SELECTION, int, select) EACH_WIDTH(SELECTION, uint, select)

/* ---------------------------------------------------------------- conversions */

#define FROM(T, n, to) to##n FUNCTION convert_##to##n(T##n x);
#define FROM_SATURATING(T, n, to)                                                                  \
    to FUNCTION convert_##to##_sat(T x); to FUNCTION convert_##to##_sat_rte(T x);                  \
    to FUNCTION convert_##to##_sat_rtz(T x);
#define FLOATS_TO(to) FLOATS(FROM, to) INTEGERS(FROM, to)
#define SATURATING_TO(to)                                                                          \
    SCALAR(FROM_SATURATING, float, to) EACH_INTEGER(SCALAR, FROM_SATURATING, to)

FLOATS_TO(float) FLOATS_TO(int) FLOATS_TO(uint) FLOATS_TO(uchar) FLOATS_TO(ushort)
SATURATING_TO(char) SATURATING_TO(uchar) SATURATING_TO(short) SATURATING_TO(ushort)
SATURATING_TO(int) SATURATING_TO(uint) SATURATING_TO(long) SATURATING_TO(ulong)

/* ---------------------------------------------------------------- memory */

#define VECTOR_LOAD(T, n, space) T##n LOADER vload##n(size_t i, const space T *p);
#define VECTOR_STORE(T, n, space) void STORER vstore##n(T##n v, size_t i, space T *p);
#define VECTORS_OF(T)                                                                              \
    EACH_VECTOR(VECTOR_LOAD, T, __global) EACH_VECTOR(VECTOR_LOAD, T, __local)                     \
    EACH_VECTOR(VECTOR_LOAD, T, __constant) EACH_VECTOR(VECTOR_LOAD, T, __private)                 \
    EACH_VECTOR(VECTOR_STORE, T, __global) EACH_VECTOR(VECTOR_STORE, T, __local)                   \
    EACH_VECTOR(VECTOR_STORE, T, __private)
VECTORS_OF(uchar) VECTORS_OF(ushort) VECTORS_OF(int) VECTORS_OF(uint) VECTORS_OF(float)

#define HALF_LOAD(T, n, space) T##n LOADER vload_half##n(size_t i, const space half *p);
#define HALF_STORE(T, n, space) void STORER vstore_half##n(T##n v, size_t i, space half *p);
FLOATS(HALF_LOAD, __global) FLOATS(HALF_LOAD, __local) FLOATS(HALF_LOAD, __constant)
FLOATS(HALF_LOAD, __private)
FLOATS(HALF_STORE, __global) FLOATS(HALF_STORE, __local) FLOATS(HALF_STORE, __private)

#define COUNTER(T, space) T STORER atomic_inc(volatile space T *p);
COUNTER(int, __global) COUNTER(int, __local) COUNTER(uint, __global) COUNTER(uint, __local)

#undef FUNCTION
#undef LOADER
#undef STORER
#undef EACH_VECTOR
#undef EACH_WIDTH
#undef EACH_INTEGER
#undef SCALAR
#undef OF_ONE
#undef OF_TWO
#undef OF_THREE
#undef AND_SCALAR
#undef AND_TWO_SCALARS
#undef AND_THIRD_SCALAR
#undef BETWEEN_SCALARS
#undef TEST
#undef PRODUCT
#undef FLOATS
#undef FLOAT_VECTORS
#undef INTEGERS
#undef INTEGER_VECTORS
#undef MAGNITUDE
#undef SELECTION
#undef FROM
#undef FROM_SATURATING
#undef FLOATS_TO
#undef SATURATING_TO
#undef VECTOR_LOAD
#undef VECTOR_STORE
#undef VECTORS_OF
#undef HALF_LOAD
#undef HALF_STORE
#undef COUNTER
