// Rasterize and voxelize: a warp owns a tile of samples, goes through the bins around it, keeps its sums in registers.
#pragma once

#include "bins.h"

namespace nabgs {

// A patch as a tile needs it.
template <int D>
struct alignas(16) Nearby {
    float place[D];                     // the tile's first sample, from the anchor
    float inverse[D], start[D], lean[D * (D - 1) / 2], height;
};

// The patches in bins around a tile, as a warp's lanes hold them: candidate k of a lane's range is patch from + k.
struct Range {
    int from, begin;                    // candidates of the ranges before it
};

template <class On>
__device__ __forceinline__ Range find_range(int range, int ranges, const int* shape, const int* first,
                                            const int* level_bins, const int* starts, int lane, int& total) {
    constexpr int D = On::D, ROWS = D == 2 ? 3 : 9;
    int begin = 0, size = 0;
    if (range < ranges) {
        const int level = range / ROWS, shift = BIN_BITS + level;
        int row = range % ROWS, bin = 0;
        bool inside = true;
        for (int axis = 0; axis < D - 1; ++axis, row /= 3) {
            const int along = bins_along(shape[axis], level), at = (first[axis] >> shift) + row % 3 - 1;
            inside &= at >= 0 && at < along;
            bin = bin * along + at;
        }
        const int along = bins_along(shape[D - 1], level), at = first[D - 1] >> shift;
        bin = level_bins[level] + bin * along;
        if (inside) {
            begin = starts[bin + most(at - 1, 0)];
            size = starts[bin + least(at + 1, along - 1) + 1] - begin;
        }
    }
    int end = size;
    for (int step = 1; step < LANES; step *= 2) {
        const int before = __shfl_up_sync(ALL, end, step);
        if (lane >= step) end += before;
    }
    total = __shfl_sync(ALL, end, LANES - 1);
    return {begin - (end - size), end - size};
}

// The patch that is a lane's candidate k. All lanes call it.
__device__ __forceinline__ int find_candidate(const Range& range, int k) {
    int in = 0;                         // the last range that begins at or before k
    for (int step = LANES / 2; step; step /= 2)
        if (__shfl_sync(ALL, range.begin, in + step) <= k) in += step;
    return __shfl_sync(ALL, range.from, in) + k;
}

// A patch as seen from a tile; false where it cannot touch it: over a tile, t_i differs from that of the tile's middle
// by no more than `spread`.
template <class On>
__device__ __forceinline__ bool approach(const Patch<On::D>& p, const int* first, Nearby<On::D>& near) {
    constexpr int D = On::D;
    float t[D], spread[D], beyond = 0;
    for (int axis = 0, k = 0; axis < D; ++axis) {
        const float half = 0.5f * (On::tile(axis) - 1);
        near.place[axis] = float(first[axis] - p.anchored(axis));
        near.inverse[axis] = p.inverse[axis];
        near.start[axis] = p.start[axis];
        t[axis] = (near.place[axis] + half) * p.inverse[axis] + p.start[axis];
        spread[axis] = half * p.inverse[axis];
        for (int j = 0; j < axis; ++j, ++k) {
            near.lean[k] = p.lean[k];
            t[axis] += p.lean[k] * t[j];
            spread[axis] += fabsf(p.lean[k]) * spread[j];
        }
        const float past = fmaxf(fabsf(t[axis]) - spread[axis], 0.0f);
        beyond += past * past;
    }
    near.height = p.height;
    return !(beyond > REACH_SQUARED);
}

// sums += the values of a Gaussian at a lane's samples; `at` is the first of them, from the tile's first sample.
template <class On>
__device__ __forceinline__ void add_values(const Nearby<On::D>& near, const float* at, float* sums) {
    constexpr int D = On::D;
    float t[D], off = 0;
    for (int axis = 0, k = 0; axis < D; ++axis) {
        t[axis] = near.start[axis];
        for (int j = 0; j < axis; ++j, ++k) t[axis] += near.lean[k] * t[j];
        t[axis] += (at[axis] + near.place[axis]) * near.inverse[axis];
        if (axis < D - 1) off += t[axis] * t[axis];
    }
    for (int n = 0; n < On::RUN; ++n) {
        const float along = n ? t[D - 1] + float(n) * near.inverse[D - 1] : t[D - 1];
        sums[n] += near.height * fmaxf(power_of_two(-off - along * along) - float(FLOOR), 0.0f);
    }
}

// A lane's neighbours along the last axis, stored at once where rows allow it.
template <int RUN>
struct alignas(4 * RUN) Run {
    float values[RUN];
};

template <int RUN>
__device__ __forceinline__ void store(const float* sums, float* row, int x, int samples) {
    if (samples % RUN == 0) {
        if (x >= samples) return;
        Run<RUN> run;
        for (int n = 0; n < RUN; ++n) run.values[n] = sums[n];
        *reinterpret_cast<Run<RUN>*>(row + x) = run;
    } else {
        for (int n = 0; n < RUN; ++n)
            if (x + n < samples) row[x + n] = sums[n];
    }
}

// out = the field on a detector or a grid. `split` warps of a block share a tile, each with a part of its candidates.
template <class On>
__device__ __forceinline__ void forward(const Patch<On::D>* patches, const int* starts, const typename On::Frame* frame,
                                     int split, float* out) {
    constexpr int D = On::D, RUN = On::RUN;
    __shared__ Nearby<D> all_nearby[FORWARD_WARPS][LANES];
    __shared__ float parts[FORWARD_WARPS][LANES][RUN];
    __shared__ int level_bins[LEVELS];
    const int lane = threadIdx.x % LANES, warp = threadIdx.x / LANES;
    const int unit = blockIdx.x * FORWARD_WARPS + warp, part = unit % split;
    int shape[D], first[D], inside[D];  // the tile's first sample; the lane's, from there
    for (int axis = 0; axis < D; ++axis) shape[axis] = frame->shape[axis];
    int rest = unit / split, lanes = lane;
    for (int axis = D - 1; axis >= 0; --axis) {
        const int tiles = (shape[axis] - 1) / On::tile(axis) + 1, run = axis == D - 1 ? RUN : 1;
        first[axis] = (axis ? rest % tiles : rest) * On::tile(axis);
        inside[axis] = lanes % (On::tile(axis) / run) * run;
        rest /= tiles;
        lanes /= On::tile(axis) / run;
    }
    if (threadIdx.x < LEVELS) level_bins[threadIdx.x] = first_bin<D>(shape, threadIdx.x);
    __syncthreads();

    float at[D], sums[RUN];
    for (int axis = 0; axis < D; ++axis) at[axis] = float(inside[axis]);
    for (int n = 0; n < RUN; ++n) sums[n] = 0;
    Nearby<D>* nearby = all_nearby[warp];
    const int ranges = first[0] < shape[0] ? levels_of<D>(shape) * (D == 2 ? 3 : 9) : 0;
    for (int some = 0; some < ranges; some += LANES) {
        int total;
        const Range range = find_range<On>(some + lane, ranges, shape, first, level_bins, starts, lane, total);
        for (int k = part * LANES; k < total; k += split * LANES) {
            const int candidate = find_candidate(range, k + lane);
            Nearby<D> near;
            const bool touches = k + lane < total && approach<On>(read(patches + candidate), first, near);
            const unsigned touching = __ballot_sync(ALL, touches);
            if (touches) nearby[__popc(touching & ((1u << lane) - 1))] = near;
            __syncwarp();
            const int count = __popc(touching);
            for (int n = 0; n < count; ++n) add_values<On>(nearby[n], at, sums);
            __syncwarp();
        }
    }
    if (split > 1) {
        for (int n = 0; n < RUN; ++n) parts[warp][lane][n] = sums[n];
        __syncthreads();
        if (part) return;
        for (int other = 1; other < split; ++other)
            for (int n = 0; n < RUN; ++n) sums[n] += parts[warp + other][lane][n];
    }
    long long row = 0;
    for (int axis = 0; axis < D - 1; ++axis) {
        if (first[axis] + inside[axis] >= shape[axis]) return;
        row = row * shape[axis] + first[axis] + inside[axis];
    }
    store<RUN>(sums, out + row * shape[D - 1], first[D - 1] + inside[D - 1], shape[D - 1]);
}

}  // namespace nabgs
