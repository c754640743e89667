// The loss of a rendered view against the restored one and its gradient to every pixel, in two passes over rows.
//
//   loss = absolute · mean |x − y| + dissimilarity · (1 − mean SSIM(x, y))
//
// SSIM after Wang et al. 2004: Gaussian window of 11 x 11 pixels, σ 1.5; at borders it is cut and normalised anew, so
// that every pixel counts and any size will do.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "../ssim.h"
#include "workers.h"

namespace nabgs {
namespace NABGS_ISA {

constexpr int HALF = SSIM_HALF;
constexpr double VARIANCE = SSIM_SIGMA * SSIM_SIGMA;

template <class S>
struct Window {
    S weights[2 * HALF + 1];
    std::vector<S> norm[2];     // 1 / the sum of the weights inside the image, for every row and column

    explicit Window(const int32_t* shape) {
        for (int k = -HALF; k <= HALF; ++k) weights[k + HALF] = S(std::exp(-0.5 * k * k / VARIANCE));
        for (int axis = 0; axis < 2; ++axis) {
            norm[axis].resize(shape[axis]);
            for (int32_t i = 0; i < shape[axis]; ++i) {
                S total = 0;
                const int last = std::min(HALF, shape[axis] - 1 - i);
                for (int k = std::max(-HALF, -i); k <= last; ++k) total += weights[k + HALF];
                norm[axis][i] = S(1) / total;
            }
        }
    }

    // out += the window along a row, cut at its ends.
    void along(const S* row, S* out, int32_t columns) const {
        std::fill(out, out + columns, S(0));
        for (int k = -HALF; k <= HALF; ++k) {
            const S w = weights[k + HALF];
            const int32_t end = std::min(columns, columns - k);
            for (int32_t u = std::max(0, -k); u < end; ++u) out[u] += w * row[u + k];
        }
    }
};

// Maps of dSSIM to the local means of x, x² and xy, with the window's norm in them, and rows to work in.
template <class S>
struct LossSpace {
    std::vector<S> maps;
    std::vector<double> rows;
};

template <class S>
double view_loss(Workers& workers, int threads, LossSpace<S>& space, const int32_t* shape, const S* x, const S* y,
                 double range, double absolute, double dissimilarity, S* gradient) {
    const int32_t height = shape[0], width = shape[1];
    const int64_t pixels = int64_t(height) * width;
    const Window<S> window(shape);
    const S c1 = S(SSIM_K1 * range * SSIM_K1 * range), c2 = S(SSIM_K2 * range * SSIM_K2 * range);
    space.maps.resize(3 * pixels);
    space.rows.assign(height, 0.0);
    S* const maps[3] = {space.maps.data(), space.maps.data() + pixels, space.maps.data() + 2 * pixels};

    workers.run(threads, height, [&](int64_t v) {
        std::vector<S> buffer(10 * width, S(0));
        S* down[5];
        S* local[5];
        for (int k = 0; k < 5; ++k) down[k] = buffer.data() + k * width, local[k] = buffer.data() + (5 + k) * width;
        for (int64_t row = std::max<int64_t>(0, v - HALF); row <= std::min<int64_t>(height - 1, v + HALF); ++row) {
            const S w = window.weights[row - v + HALF];
            const S* a = x + row * width;
            const S* b = y + row * width;
            for (int32_t u = 0; u < width; ++u) {
                const S wa = w * a[u], wb = w * b[u];
                down[0][u] += wa;
                down[1][u] += wb;
                down[2][u] += wa * a[u];
                down[3][u] += wb * b[u];
                down[4][u] += wa * b[u];
            }
        }
        for (int k = 0; k < 5; ++k) window.along(down[k], local[k], width);
        double similarity = 0, difference = 0;
        S* const out[3] = {maps[0] + v * width, maps[1] + v * width, maps[2] + v * width};
        for (int32_t u = 0; u < width; ++u) {
            const S norm = window.norm[0][v] * window.norm[1][u];
            const S mx = norm * local[0][u], my = norm * local[1][u];
            const S a1 = 2 * mx * my + c1, b1 = mx * mx + my * my + c1;
            const S a2 = 2 * (norm * local[4][u] - mx * my) + c2;
            const S b2 = (norm * local[2][u] - mx * mx) + (norm * local[3][u] - my * my) + c2;
            const S scale = S(1) / (b1 * b2), value = a1 * a2 * scale;
            similarity += value;
            difference += std::abs(x[v * width + u] - y[v * width + u]);
            out[0][u] = norm * 2 * (my * (a2 - a1) * scale - value * mx * (1 / b1 - 1 / b2));
            out[1][u] = norm * (-value / b2);
            out[2][u] = norm * (2 * a1 * scale);
        }
        space.rows[v] = absolute * difference - dissimilarity * similarity;
    });

    const S per_difference = S(absolute / pixels), per_similarity = S(-dissimilarity / pixels);
    workers.run(threads, height, [&](int64_t v) {
        std::vector<S> buffer(6 * width, S(0));
        S* down[3];
        S* local[3];
        for (int k = 0; k < 3; ++k) down[k] = buffer.data() + k * width, local[k] = buffer.data() + (3 + k) * width;
        for (int64_t row = std::max<int64_t>(0, v - HALF); row <= std::min<int64_t>(height - 1, v + HALF); ++row) {
            const S w = window.weights[row - v + HALF];
            for (int k = 0; k < 3; ++k) {
                const S* map = maps[k] + row * width;
                for (int32_t u = 0; u < width; ++u) down[k][u] += w * map[u];
            }
        }
        for (int k = 0; k < 3; ++k) window.along(down[k], local[k], width);
        for (int32_t u = 0; u < width; ++u) {
            const S a = x[v * width + u], b = y[v * width + u];
            const S sign = a > b ? S(1) : (a < b ? S(-1) : S(0));
            gradient[v * width + u] =
                per_difference * sign + per_similarity * (local[0][u] + 2 * a * local[1][u] + b * local[2][u]);
        }
    });
    double total = 0;
    for (double row : space.rows) total += row;
    return total / double(pixels) + dissimilarity;
}

}  // namespace NABGS_ISA
}  // namespace nabgs
