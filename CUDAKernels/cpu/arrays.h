// A field in the caller's arrays, and several of its Gaussians as packs.
#pragma once

#include <cmath>
#include <cstdint>

#include "../gaussian.h"
#include "pack.h"

namespace nabgs {
namespace NABGS_ISA {

// The parameters of a field as the caller holds them, or the gradients to them: means and log-scales (n, 3),
// quaternions (n, 4), densities (n).
template <class S>
struct Arrays {
    S *means, *log_scales, *quats, *densities;
};

template <class S, int W>
inline void gather(const Arrays<const S>& field, int64_t first, int64_t lanes, Gaussian<Pack<S, W>>& g) {
    for (int64_t lane = 0; lane < W; ++lane) {
        const int64_t i = first + (lane < lanes ? lane : 0);  // spare lanes repeat the first Gaussian
        for (int k = 0; k < 3; ++k) g.mean[k].v[lane] = field.means[3 * i + k];
        for (int k = 0; k < 3; ++k) g.log_scale[k].v[lane] = field.log_scales[3 * i + k];
        for (int k = 0; k < 4; ++k) g.quat[k].v[lane] = field.quats[4 * i + k];
        g.density.v[lane] = field.densities[i];
    }
}

template <class S, int W>
inline void scatter(const Gaussian<Pack<S, W>>& g, int64_t first, int64_t lanes, const Arrays<S>& gradients) {
    for (int64_t lane = 0; lane < lanes; ++lane) {
        const int64_t i = first + lane;
        for (int k = 0; k < 3; ++k) gradients.means[3 * i + k] = g.mean[k].v[lane];
        for (int k = 0; k < 3; ++k) gradients.log_scales[3 * i + k] = g.log_scale[k].v[lane];
        for (int k = 0; k < 4; ++k) gradients.quats[4 * i + k] = g.quat[k].v[lane];
        gradients.densities[i] = g.density.v[lane];
    }
}

// Gaussians that a thread takes at once.
constexpr int64_t CHUNK = 256;

inline int64_t chunks(int64_t count) { return (count + CHUNK - 1) / CHUNK; }

// False for a value that is not finite, or so large that it can only be a mistake.
template <class S>
inline bool is_sound(const Arrays<const S>& field, int64_t i) {
    bool sound = std::abs(field.densities[i]) <= S(LARGEST_DENSITY);
    for (int k = 0; k < 3; ++k) sound &= std::abs(field.means[3 * i + k]) <= S(LARGEST_COORDINATE);
    for (int k = 0; k < 3; ++k) sound &= std::abs(field.log_scales[3 * i + k]) <= S(LARGEST_LOG_SCALE);
    for (int k = 0; k < 4; ++k) sound &= std::abs(field.quats[4 * i + k]) <= S(LARGEST_COORDINATE);
    return sound;
}

}  // namespace NABGS_ISA
}  // namespace nabgs
