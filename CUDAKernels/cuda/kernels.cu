// The CUDA kernels: which thread does what. The mathematics is in gaussian.h.
//
// On a user's machine NVRTC compiles this text, with the files it includes put in place; nvcc compiles it in tests, and
// Testing/cuda_emulator runs it on a CPU. So there are no other headers, and kernels take plain pointers and numbers.
//
// Forward: every Gaussian goes to exactly one bin, so lists have a fixed size and cannot overflow. All sums have an
// order that only the arguments decide, and nothing is added atomically: no result depends on which thread is first.
#include "backward.h"
#include "forward.h"
#include "view_loss.h"

using namespace nabgs;

// A View or a Grid in device memory, from its bytes.
extern "C" __global__ void write_frame(long long* frame, long long a, long long b, long long c, long long d,
                                       long long e, long long f, long long g, long long h) {
    const long long words[FRAME_WORDS] = {a, b, c, d, e, f, g, h};
    for (int k = 0; k < FRAME_WORDS; ++k) frame[k] = words[k];
}

// The kernels of one operation, rasterize or voxelize.
#define NABGS_KERNELS(operation, On)                                                                                   \
    extern "C" __global__ void __launch_bounds__(GAUSSIAN_THREADS)                                                     \
        operation##_prepare(int count, const float* means, const float* log_scales, const float* quats,                \
                            const float* densities, const On::Frame* frame, int bins, Patch<On::D>* patches,           \
                            void* keys, int wide, int* unsound) {                                                      \
        prepare<On>(count, means, log_scales, quats, densities, frame, bins, patches, Keys{keys, wide}, unsound);      \
    }                                                                                                                  \
    extern "C" __global__ void __launch_bounds__(GAUSSIAN_THREADS)                                                     \
        operation##_arrange(int count, int bins, void* sorted_keys, int wide, const long long* order,                  \
                            const Patch<On::D>* patches, Patch<On::D>* sorted, int* starts) {                          \
        arrange<On::D>(count, bins, Keys{sorted_keys, wide}, order, patches, sorted, starts);                          \
    }                                                                                                                  \
    extern "C" __global__ void __launch_bounds__(FORWARD_WARPS * LANES)                                                \
        operation##_forward(const Patch<On::D>* patches, const int* starts, const On::Frame* frame, int split,         \
                            float* out) {                                                                              \
        forward<On>(patches, starts, frame, split, out);                                                               \
    }                                                                                                                  \
    extern "C" __global__ void __launch_bounds__(SUM_WARPS * LANES)                                                    \
        operation##_moments(const Patch<On::D>* patches, const long long* order, const int* starts,                    \
                            const On::Frame* frame, int bins, const float* gradient, Moments<float, On::D>* moments,   \
                            int large_blocks, int medium_blocks) {                                                     \
        sum_moments<On>(patches, order, starts, frame, bins, gradient, moments, large_blocks, medium_blocks);          \
    }                                                                                                                  \
    extern "C" __global__ void __launch_bounds__(GAUSSIAN_THREADS)                                                     \
        operation##_backward(int count, const float* means, const float* log_scales, const float* quats,               \
                             const float* densities, const On::Frame* frame, int bins, void* keys, int wide,           \
                             const Moments<float, On::D>* moments, float* mean_grads, float* log_scale_grads,          \
                             float* quat_grads, float* density_grads) {                                                \
        backward<On>(count, means, log_scales, quats, densities, frame, bins, Keys{keys, wide}, moments, mean_grads,   \
                     log_scale_grads, quat_grads, density_grads);                                                      \
    }

NABGS_KERNELS(rasterize, OnDetector)
NABGS_KERNELS(voxelize, OnGrid)

extern "C" __global__ void __launch_bounds__(SQUARE_THREADS)
    loss_maps(int height, int width, const float* x, const float* y, double range, double absolute,
              double dissimilarity, float* maps, float* losses) {
    map_loss(Image{height, width}, x, y, float(range), float(absolute), float(dissimilarity), maps, losses);
}

extern "C" __global__ void __launch_bounds__(SQUARE_THREADS)
    loss_gradient(int height, int width, const float* x, const float* y, double absolute, double dissimilarity,
                  const float* maps, const float* losses, float* loss, float* gradient) {
    loss_backward(Image{height, width}, x, y, float(absolute), float(dissimilarity), maps, losses, loss, gradient);
}
