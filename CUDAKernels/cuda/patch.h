// Patches: the part of an array that a Gaussian touches, and its values there.
#pragma once

#include "device.h"

namespace nabgs {

constexpr float REACH_SQUARED = float(REACH) * float(REACH);

// What evaluating a Gaussian needs of it. With t in gaussian.h's UNIT and x the samples from the anchor along axis i,
//   t_i = x · inverse_i + start_i + Σ_j<i lean_ij t_j,   value = height · max(0, 2^(−tᵀt) − FLOOR)
// The anchor is a whole sample near the centre, so that a float holds places well on large arrays.
template <int D>
struct alignas(16) Patch {
    unsigned anchor[2];                 // 16 bits an axis
    float inverse[D], start[D], lean[D * (D - 1) / 2], height;

    NABGS_FUNCTION int anchored(int axis) const {
        return int(axis == 2 ? anchor[1] : (anchor[0] >> 16 * axis) & 0xffff);
    }
};

static_assert(sizeof(Patch<2>) == DETECTOR_PATCH_FLOATS * sizeof(float), "");
static_assert(sizeof(Patch<3>) == GRID_PATCH_FLOATS * sizeof(float), "");
static_assert(sizeof(Moments<float, 2>) == DETECTOR_MOMENTS * sizeof(float), "");
static_assert(sizeof(Moments<float, 3>) == GRID_MOMENTS * sizeof(float), "");
static_assert(sizeof(View) <= 8 * FRAME_WORDS && sizeof(Grid) <= 8 * FRAME_WORDS, "");

// In whole words of memory, which the compiler would not use for the fields one by one.
template <int D>
__device__ __forceinline__ Patch<D> read(const Patch<D>* patch) {
    constexpr int WORDS = sizeof(Patch<D>) / sizeof(float4);
    float4 words[WORDS];
    for (int k = 0; k < WORDS; ++k) words[k] = reinterpret_cast<const float4*>(patch)[k];
    Patch<D> out;
    memcpy(&out, words, sizeof out);
    return out;
}

// What differs between a detector and a grid.
struct OnDetector {
    static constexpr int D = 2;
    static constexpr int RUN = 2;       // neighbours along the last axis that one lane evaluates
    static constexpr int SUM_THREADS = DETECTOR_SUM_THREADS;
    typedef View Frame;
    typedef Projection<float> Math;
    static NABGS_FUNCTION constexpr int tile(int) { return DETECTOR_TILE; }
};

struct OnGrid {
    static constexpr int D = 3;
    static constexpr int RUN = 4;
    static constexpr int SUM_THREADS = GRID_SUM_THREADS;
    typedef Grid Frame;
    typedef Voxelization<float> Math;
    static NABGS_FUNCTION constexpr int tile(int axis) { return axis == 2 ? GRID_TILE_ALONG : GRID_TILE_ACROSS; }
};

// Whole samples from − half to + half around a place, cut to the array; where there are none, last < first. From the
// anchor, all of them.
NABGS_FUNCTION void extent(float place, float half, int anchor, int samples, int& first, int& last) {
    const float lowest = float(-anchor), highest = float(samples - 1 - anchor);
    first = int(fminf(fmaxf(ceilf(place - half), lowest), highest + 1));
    last = int(fmaxf(fminf(floorf(place + half), highest), lowest - 1));
}

__device__ __forceinline__ Gaussian<float> gather(int i, const float* means, const float* log_scales,
                                                  const float* quats, const float* densities) {
    Gaussian<float> g;
    for (int k = 0; k < 3; ++k) g.mean[k] = means[3 * i + k];
    for (int k = 0; k < 3; ++k) g.log_scale[k] = log_scales[3 * i + k];
    for (int k = 0; k < 4; ++k) g.quat[k] = quats[4 * i + k];
    g.density = densities[i];
    return g;
}

// False for a value that is not finite, or so large that it can only be a mistake.
__device__ __forceinline__ bool is_sound(const Gaussian<float>& g) {
    bool sound = fabsf(g.density) <= float(LARGEST_DENSITY);
    for (int k = 0; k < 3; ++k) sound &= fabsf(g.mean[k]) <= float(LARGEST_COORDINATE);
    for (int k = 0; k < 3; ++k) sound &= fabsf(g.log_scale[k]) <= float(LARGEST_LOG_SCALE);
    for (int k = 0; k < 4; ++k) sound &= fabsf(g.quat[k]) <= float(LARGEST_COORDINATE);
    return sound;
}

// The patch of a Gaussian that touches the array, and how far it reaches from its anchor; false for any other.
template <class On>
__device__ __forceinline__ bool make_patch(const Gaussian<float>& g, const typename On::Frame& frame, Patch<On::D>& p,
                                           int& span) {
    constexpr int D = On::D;
    const typename On::Math math(g, frame);
    const float* l = math.footprint.factor;
    double place[D];
    if (!centre(frame, g.mean, place)) return false;
    unsigned anchors[3] = {0, 0, 0};
    span = 0;
    for (int axis = 0, k = 0, off = 0; axis < D; ++axis) {
        const double anchor = fmin(fmax(floor(place[axis] + 0.5), 0.0), double(frame.shape[axis] - 1));
        const float offset = float(place[axis] - anchor);
        anchors[axis] = unsigned(anchor);
        float variance = 0;
        for (int j = 0; j <= axis; ++j) variance += l[k + j] * l[k + j];
        int first, last;
        extent(offset, float(RADIUS) * sqrtf(variance), int(anchors[axis]), frame.shape[axis], first, last);
        if (last < first) return false;
        span = most(span, most(-first, last));
        const float inverse = 1.0f / l[k + axis];
        for (int j = 0; j < axis; ++j) p.lean[off++] = -l[k + j] * inverse;
        p.inverse[axis] = inverse * float(UNIT);
        p.start[axis] = -offset * p.inverse[axis];
        k += axis + 1;
    }
    p.anchor[0] = anchors[0] | anchors[1] << 16;
    p.anchor[1] = anchors[2];
    p.height = math.footprint.height;
    return true;
}

}  // namespace nabgs
