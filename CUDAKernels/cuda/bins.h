// Hierarchical bins, in which a tile finds the Gaussians that touch it.
#pragma once

#include "patch.h"

namespace nabgs {

// Bins of level 0 have sides of 2^BIN_BITS samples, those of the next level twice that, until one holds the array. A
// Gaussian goes to the lowest level whose side it does not reach beyond, so a tile finds all of its own in the bins
// around it, three along every axis. Bins are numbered level by level, then row by row.
// Numbers of bins, sorted; 16 bits where they suffice, which halves the passes of the sort.
struct Keys {
    void* at;
    int wide;

    NABGS_FUNCTION void put(int i, int key) const {
        if (wide) {
            static_cast<int*>(at)[i] = key;
        } else {
            static_cast<short*>(at)[i] = short(key - 32768);
        }
    }
    NABGS_FUNCTION int get(int i) const {
        return wide ? static_cast<const int*>(at)[i] : int(static_cast<const short*>(at)[i]) + 32768;
    }
};

NABGS_FUNCTION int bins_along(int samples, int level) { return ((samples - 1) >> (BIN_BITS + level)) + 1; }

template <int D>
NABGS_FUNCTION int bins_of(const int* shape, int level) {
    int bins = 1;
    for (int axis = 0; axis < D; ++axis) bins *= bins_along(shape[axis], level);
    return bins;
}

template <int D>
NABGS_FUNCTION int levels_of(const int* shape) {
    int level = 0;
    while (bins_of<D>(shape, level) > 1) ++level;
    return level + 1;
}

// The number of a level's first bin; of a level beyond the last, the number of bins.
template <int D>
NABGS_FUNCTION int first_bin(const int* shape, int level) {
    int total = 0;
    for (int below = 0; below < level; ++below) {
        const int bins = bins_of<D>(shape, below);
        total += bins;
        if (bins == 1) break;
    }
    return total;
}

// The bin of a Gaussian that reaches `span` samples from its anchor.
template <int D>
NABGS_FUNCTION int bin_of(const Patch<D>& p, int span, const int* shape) {
    int level = 0, first = 0, within = 0;
    for (; span > 1 << (BIN_BITS + level); ++level) first += bins_of<D>(shape, level);
    for (int axis = 0; axis < D; ++axis)
        within = within * bins_along(shape[axis], level) + (p.anchored(axis) >> (BIN_BITS + level));
    return first + within;
}

// keys = the bin of every Gaussian; `bins`, one more than the last, for those that do not touch the array.
template <class On>
__device__ __forceinline__ void prepare(int count, const float* means, const float* log_scales, const float* quats,
                                        const float* densities, const typename On::Frame* frame, int bins,
                                        Patch<On::D>* patches, Keys keys, int* unsound) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    const Gaussian<float> g = gather(i, means, log_scales, quats, densities);
    int bin = bins, span;
    Patch<On::D> patch;
    if (!is_sound(g)) {
        *unsound = 1;
    } else if (make_patch<On>(g, *frame, patch, span)) {
        patches[i] = patch;
        bin = bin_of(patch, span, frame->shape);
    }
    keys.put(i, bin);
}

// sorted = the patches bin by bin; starts = where each bin begins, and at [bins] how many Gaussians touch the array.
template <int D>
__device__ __forceinline__ void arrange(int count, int bins, Keys sorted_keys, const long long* order,
                                        const Patch<D>* patches, Patch<D>* sorted, int* starts) {
    const int k = blockIdx.x * blockDim.x + threadIdx.x;
    if (k < count && sorted_keys.get(k) < bins) sorted[k] = read(patches + order[k]);
    if (k > bins) return;
    int low = 0, high = count;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        if (sorted_keys.get(middle) < k) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    starts[k] = low;
}

}  // namespace nabgs
