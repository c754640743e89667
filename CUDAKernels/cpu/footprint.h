// Line integrals of slices along a parallel beam, and their transpose. The weights are those of
// projection/footprint.py: exact integrals of the bilinear interpolant, in double precision. A view has the same for
// every slice, so they are made for some rays (or voxels) at once and used for all slices, which lie side by side in
// memory: voxels (y, x, slice) and columns of the detector (view, u, slice).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "../parallel_beam.h"
#include "workers.h"

namespace nabgs {
namespace NABGS_ISA {

constexpr int64_t SIDE_BY_SIDE = 64;  // rays or voxels whose weights are made at once
constexpr int64_t SLICES = 64;        // that are summed at once: both together stay in the first caches
constexpr int MOST_TAPS = 4;          // that one pass over the slices adds

// Two tents of unit area convolved, times the area of a voxel: what a line at some distance from a voxel's centre sees.
struct Shadow {
    double wide, narrow, inverse, scale;

    Shadow(double first, double second, double area) {
        wide = std::max(std::abs(first), std::abs(second));
        narrow = std::max(std::min(std::abs(first), std::abs(second)), 1e-30);
        inverse = 1 / narrow;
        scale = area / (wide * wide);
    }

    static inline double rounding(double x) {
        const double rest = 1 - std::abs(x), kept = rest > 0 ? rest : 0;
        return kept * kept * kept * (1.0 / 6);
    }

    inline double operator()(double distance) const {
        const double away = std::abs(distance), inwards = wide - away;
        const double kinks = rounding(inwards * inverse) - 2 * rounding(away * inverse);
        return scale * ((inwards > 0 ? inwards : 0) + narrow * kinks);
    }
};

// The weights of samples first[k] ... first[k] + taps − 1 for SIDE_BY_SIDE sums: weight[tap * SIDE_BY_SIDE + k].
template <class S>
struct Weights {
    int taps;
    int64_t samples;  // there are; those outside weigh nothing
    int32_t first[SIDE_BY_SIDE];
    std::vector<S> weight;

    Weights(int taps, int64_t samples) : taps(taps), samples(samples), weight(taps * SIDE_BY_SIDE) {}

    // place[k] is where the samples' axis is met, reach how far from there a sample may lie, and unit how far apart
    // samples are as the shadow measures it.
    void make(const Shadow& shadow, const double* place, double reach, double unit) {
        for (int64_t k = 0; k < SIDE_BY_SIDE; ++k) {
            const double low = std::ceil(place[k] - reach), beyond = double(samples);
            first[k] = int32_t(low < -taps ? -taps : (low > beyond ? beyond : low));
        }
        for (int tap = 0; tap < taps; ++tap) {
            S* const out = weight.data() + tap * SIDE_BY_SIDE;
            for (int64_t k = 0; k < SIDE_BY_SIDE; ++k) {
                const int32_t sample = first[k] + tap;
                const double w = shadow((sample - place[k]) * unit);
                out[k] = S((sample >= 0) & (sample < samples) ? w : 0);
            }
        }
    }

    // sum += Σ weight · sample, over slices; samples begin at `from` and are `stride` apart.
    void add(int64_t k, const S* from, int64_t stride, S* sum, int64_t slices) const {
        const int64_t begin = std::max<int64_t>(0, -first[k]), end = std::min<int64_t>(taps, samples - first[k]);
        for (int64_t tap = begin; tap < end; tap += MOST_TAPS) {
            const S* const here = from + (first[k] + tap) * stride;
            const S* const w = weight.data() + tap * SIDE_BY_SIDE + k;
            switch (std::min<int64_t>(MOST_TAPS, end - tap)) {
                case 4: add_taps<4>(w, here, stride, sum, slices); break;
                case 3: add_taps<3>(w, here, stride, sum, slices); break;
                case 2: add_taps<2>(w, here, stride, sum, slices); break;
                default: add_taps<1>(w, here, stride, sum, slices);
            }
        }
    }

private:
    template <int TAPS>
    static inline void add_taps(const S* weight, const S* from, int64_t stride, S* sum, int64_t slices) {
        S w[TAPS];
        for (int tap = 0; tap < TAPS; ++tap) w[tap] = weight[tap * SIDE_BY_SIDE];
        for (int64_t z = 0; z < slices; ++z) {
            S value = sum[z];
            for (int tap = 0; tap < TAPS; ++tap) value += w[tap] * from[tap * stride + z];
            sum[z] = value;
        }
    }
};

inline int64_t parts(int64_t count, int64_t size) { return (count + size - 1) / size; }

inline double middle(int64_t count) { return 0.5 * double(count - 1); }

// columns (views, u, slices) of voxels (y, x, slices).
template <class S>
void project(Workers& workers, int threads, const NabgsParallelBeam& beam, const double* angles, int64_t slices,
             const S* voxels, S* columns) {
    const int64_t blocks = parts(beam.pixels, SIDE_BY_SIDE), layers = parts(slices, SLICES);
    workers.run(threads, beam.views * blocks * layers, [&](int64_t task) {
        const int64_t view = task / (blocks * layers), block = task / layers % blocks, layer = task % layers;
        const int64_t u = block * SIDE_BY_SIDE, rays = std::min(SIDE_BY_SIDE, beam.pixels - u);
        const int64_t z = layer * SLICES, some = std::min(SLICES, slices - z);
        const double along_x = std::cos(angles[view]) * beam.spacing[1];
        const double along_y = std::sin(angles[view]) * beam.spacing[0];  // mm of n · p per voxel
        // A ray is followed row by row where it crosses rows more steeply than columns, else column by column.
        const int across = std::abs(along_x) >= std::abs(along_y) ? 1 : 0;
        const double step = across ? along_x : along_y, skip = across ? along_y : along_x;
        const int64_t samples = beam.shape[across], lines = beam.shape[1 - across];
        const int64_t stride = (across ? 1 : beam.shape[1]) * slices, next = (across ? beam.shape[1] : 1) * slices;
        const double slope = skip / step, reach = 1 + std::abs(slope);
        const Shadow shadow(step, skip, beam.spacing[0] * beam.spacing[1]);
        Weights<S> weights(int(std::ceil(2 * reach)), samples);

        S* const out = columns + (view * beam.pixels + u) * slices + z;
        for (int64_t k = 0; k < rays; ++k) std::fill(out + k * slices, out + k * slices + some, S(0));
        double crossing[SIDE_BY_SIDE];
        const double first = (u - middle(beam.pixels)) * beam.pitch / step + middle(samples), apart = beam.pitch / step;
        for (int64_t line = 0; line < lines; ++line) {
            const double start = first - (line - middle(lines)) * slope, end = start + (rays - 1) * apart;
            if (std::max(start, end) + reach < 0 || std::min(start, end) - reach > samples - 1) continue;
            for (int64_t k = 0; k < SIDE_BY_SIDE; ++k) crossing[k] = start + k * apart;
            weights.make(shadow, crossing, reach, step);
            const S* const from = voxels + line * next + z;
            for (int64_t k = 0; k < rays; ++k) weights.add(k, from, stride, out + k * slices, some);
        }
    });
}

// voxels (y, x, slices) += the transpose of `project` on columns (views, u, slices).
template <class S>
void backproject(Workers& workers, int threads, const NabgsParallelBeam& beam, const double* angles, int64_t slices,
                 const S* columns, S* voxels) {
    const int64_t width = beam.shape[1], blocks = parts(width, SIDE_BY_SIDE), layers = parts(slices, SLICES);
    workers.run(threads, beam.shape[0] * blocks * layers, [&](int64_t task) {
        const int64_t y = task / (blocks * layers), block = task / layers % blocks, layer = task % layers;
        const int64_t x = block * SIDE_BY_SIDE, some_voxels = std::min(SIDE_BY_SIDE, width - x);
        const int64_t z = layer * SLICES, some = std::min(SLICES, slices - z);
        S* const out = voxels + (y * width + x) * slices + z;
        double place[SIDE_BY_SIDE];
        for (int32_t view = 0; view < beam.views; ++view) {
            const double along_x = std::cos(angles[view]) * beam.spacing[1];
            const double along_y = std::sin(angles[view]) * beam.spacing[0];
            const double reach = (std::abs(along_x) + std::abs(along_y)) / beam.pitch;
            const double start = ((x - middle(width)) * along_x + (y - middle(beam.shape[0])) * along_y) / beam.pitch
                                 + middle(beam.pixels);
            for (int64_t k = 0; k < SIDE_BY_SIDE; ++k) place[k] = start + k * along_x / beam.pitch;
            Weights<S> weights(int(std::ceil(2 * reach)), beam.pixels);
            weights.make(Shadow(along_x, along_y, beam.spacing[0] * beam.spacing[1]), place, reach, beam.pitch);
            const S* const from = columns + view * beam.pixels * slices + z;
            for (int64_t k = 0; k < some_voxels; ++k) weights.add(k, from, slices, out + k * slices, some);
        }
    });
}

}  // namespace NABGS_ISA
}  // namespace nabgs
