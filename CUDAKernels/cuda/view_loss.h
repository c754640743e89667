// The loss of a rendered view against the restored one and its gradient to every pixel, as cpu/view_loss.h has it:
//   loss = absolute · mean |x − y| + dissimilarity · (1 − mean SSIM(x, y))
#pragma once

#include "../ssim.h"
#include "device.h"

namespace nabgs {

// A block has a square of SQUARE x SQUARE pixels, a thread one of them; the window reaches HALF pixels further.
constexpr int HALF = SSIM_HALF, WIDE = SQUARE + 2 * HALF, SQUARE_THREADS = SQUARE * SQUARE;

struct Image {
    int height, width;

    NABGS_FUNCTION bool holds(int v, int u) const { return v >= 0 && v < height && u >= 0 && u < width; }
};

// The window's weight at a distance of k pixels, exp(−k² / (2 · SSIM_SIGMA²)).
NABGS_FUNCTION constexpr float window_weight(int k) {
    constexpr float WEIGHTS[HALF + 1] = {1.0f,          0.800737403f,  0.411112291f,
                                         0.135335283f, 0.0285655008f, 0.00386592014f};
    return WEIGHTS[k < 0 ? -k : k];
}

// 1 / the sum of the weights that fall inside an image.
NABGS_FUNCTION float window_norm(const Image& image, int v, int u) {
    float down = 0, along = 0;
    for (int k = -HALF; k <= HALF; ++k) {
        if (v + k >= 0 && v + k < image.height) down += window_weight(k);
        if (u + k >= 0 && u + k < image.width) along += window_weight(k);
    }
    return 1.0f / (down * along);
}

// Window sums of N maps at a thread's pixel; value(v, u, maps) gives the maps at a pixel inside the image.
template <int N, class Value>
__device__ __forceinline__ void window_sums(const Image& image, int top, int left, float* sums, Value value) {
    __shared__ float around[N][WIDE][WIDE + 1], rows[N][WIDE][SQUARE + 1];
    for (int k = threadIdx.x; k < WIDE * WIDE; k += SQUARE_THREADS) {
        const int row = k / WIDE, column = k % WIDE, v = top + row - HALF, u = left + column - HALF;
        float maps[N];
        for (int n = 0; n < N; ++n) maps[n] = 0;
        if (image.holds(v, u)) value(v, u, maps);
        for (int n = 0; n < N; ++n) around[n][row][column] = maps[n];
    }
    __syncthreads();
    for (int k = threadIdx.x; k < WIDE * SQUARE; k += SQUARE_THREADS) {
        const int row = k / SQUARE, column = k % SQUARE;
        for (int n = 0; n < N; ++n) {
            float sum = 0;
            for (int j = 0; j <= 2 * HALF; ++j) sum += window_weight(j - HALF) * around[n][row][column + j];
            rows[n][row][column] = sum;
        }
    }
    __syncthreads();
    const int row = threadIdx.x / SQUARE, column = threadIdx.x % SQUARE;
    for (int n = 0; n < N; ++n) {
        sums[n] = 0;
        for (int j = 0; j <= 2 * HALF; ++j) sums[n] += window_weight(j - HALF) * rows[n][row + j][column];
    }
}

// The sum over a block's threads, in its first.
__device__ __forceinline__ float sum_block(float sum) {
    __shared__ float parts[SQUARE_THREADS / LANES];
    for (int step = LANES / 2; step; step /= 2) sum += __shfl_xor_sync(ALL, sum, step);
    if (threadIdx.x % LANES == 0) parts[threadIdx.x / LANES] = sum;
    __syncthreads();
    sum = 0;
    for (int warp = 0; warp < SQUARE_THREADS / LANES; ++warp) sum += parts[warp];
    return sum;
}

// maps = the gradients of SSIM to the local means of x, x² and xy, with the window's norm in them; losses = the sum of
// absolute · |x − y| + dissimilarity · (1 − SSIM) over each block.
__device__ __forceinline__ void map_loss(const Image& image, const float* x, const float* y, float range,
                                         float absolute, float dissimilarity, float* maps, float* losses) {
    const int squares = (image.width - 1) / SQUARE + 1;
    const int top = blockIdx.x / squares * SQUARE, left = blockIdx.x % squares * SQUARE;
    const int v = top + threadIdx.x / SQUARE, u = left + threadIdx.x % SQUARE;
    float sums[5];
    window_sums<5>(image, top, left, sums, [=](int v, int u, float* of) {
        const float a = x[v * image.width + u], b = y[v * image.width + u];
        of[0] = a;
        of[1] = b;
        of[2] = a * a;
        of[3] = b * b;
        of[4] = a * b;
    });
    float loss = 0;
    if (image.holds(v, u)) {
        const float norm = window_norm(image, v, u), mean_x = norm * sums[0], mean_y = norm * sums[1];
        const float k1 = float(SSIM_K1) * range, k2 = float(SSIM_K2) * range, c1 = k1 * k1, c2 = k2 * k2;
        const float luminance = 2 * mean_x * mean_y + c1, brightness = mean_x * mean_x + mean_y * mean_y + c1;
        const float structure = 2 * (norm * sums[4] - mean_x * mean_y) + c2;
        const float contrast = (norm * sums[2] - mean_x * mean_x) + (norm * sums[3] - mean_y * mean_y) + c2;
        const float scale = 1.0f / (brightness * contrast), similarity = luminance * structure * scale;
        const int pixel = v * image.width + u, pixels = image.height * image.width;
        const float steeper = similarity * mean_x * (1.0f / brightness - 1.0f / contrast);
        maps[pixel] = norm * 2 * (mean_y * (structure - luminance) * scale - steeper);
        maps[pixels + pixel] = norm * (-similarity / contrast);
        maps[2 * pixels + pixel] = norm * (2 * luminance * scale);
        loss = absolute * fabsf(x[pixel] - y[pixel]) + dissimilarity * (1.0f - similarity);
    }
    loss = sum_block(loss);
    if (threadIdx.x == 0) losses[blockIdx.x] = loss;
}

// gradient = that of the loss to x; *loss from the sums over blocks.
__device__ __forceinline__ void loss_backward(const Image& image, const float* x, const float* y, float absolute,
                                              float dissimilarity, const float* maps, const float* losses, float* loss,
                                              float* gradient) {
    const int squares = (image.width - 1) / SQUARE + 1, pixels = image.height * image.width;
    const int top = blockIdx.x / squares * SQUARE, left = blockIdx.x % squares * SQUARE;
    const int v = top + threadIdx.x / SQUARE, u = left + threadIdx.x % SQUARE;
    float sums[3];
    window_sums<3>(image, top, left, sums, [=](int v, int u, float* of) {
        for (int n = 0; n < 3; ++n) of[n] = maps[n * pixels + v * image.width + u];
    });
    if (image.holds(v, u)) {
        const int pixel = v * image.width + u;
        const float a = x[pixel], b = y[pixel], sign = a > b ? 1.0f : a < b ? -1.0f : 0.0f;
        const float to_similarity = sums[0] + 2 * a * sums[1] + b * sums[2];
        gradient[pixel] = (absolute * sign - dissimilarity * to_similarity) / float(pixels);
    }
    if (blockIdx.x == 0) {
        float total = 0;
        for (int k = threadIdx.x; k < int(gridDim.x); k += SQUARE_THREADS) total += losses[k];
        total = sum_block(total);
        if (threadIdx.x == 0) *loss = total / float(pixels);
    }
}

}  // namespace nabgs
