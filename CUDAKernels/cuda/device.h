// The device's functions that the kernels need: gaussian.h's mathematics in float, and fast approximations.
#pragma once

namespace nabgs {

__host__ __device__ inline float square_root(float x) { return sqrtf(x); }
__host__ __device__ inline float exponential(float x) { return expf(x); }
__host__ __device__ inline float larger(float a, float b) { return fmaxf(a, b); }

}  // namespace nabgs

#include "../gaussian.h"
#include "launch_sizes.h"

namespace nabgs {

constexpr unsigned ALL = 0xffffffffu;  // lanes of a warp

NABGS_FUNCTION int least(int a, int b) { return a < b ? a : b; }
NABGS_FUNCTION int most(int a, int b) { return a > b ? a : b; }

__device__ __forceinline__ float power_of_two(float x) {
#if defined(__CUDA_ARCH__)
    asm("ex2.approx.ftz.f32 %0, %0;" : "+f"(x));
    return x;
#else
    return exp2f(x);
#endif
}

// To within a few units of the last place: for where rows end, where values are close to zero.
__device__ __forceinline__ float rough_root(float x) {
#if defined(__CUDA_ARCH__)
    asm("sqrt.approx.ftz.f32 %0, %0;" : "+f"(x));
    return x;
#else
    return sqrtf(x);
#endif
}

}  // namespace nabgs
