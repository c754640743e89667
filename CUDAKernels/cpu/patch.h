// Patches: the part of an array that one Gaussian touches, walked line by line along the array's last axis.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "../gaussian.h"
#include "pack.h"

namespace nabgs {
namespace NABGS_ISA {

// Samples evaluated at once.
#if defined(__AVX512F__)
constexpr int WIDTH = 8;
#elif defined(__AVX2__)
constexpr int WIDTH = 8;
#else
constexpr int WIDTH = 4;
#endif
// Up to this many packs a line, walking the whole box around a Gaussian costs less than finding where each line ends.
constexpr int BOX_PACKS = 3;

// What evaluating a Gaussian needs of it. Places are relative to the anchor, a whole sample near the centre, so that a
// float holds them well on large arrays. All distances t are in gaussian.h's UNIT.
template <class S, int D>
struct Patch {
    S offset[D];                    // centre − anchor, samples
    S factor[D * (D + 1) / 2];      // L, for t in UNIT
    S inverse[D];                   // 1 / its diagonal
    S height;
    int32_t anchor[D];
    int32_t first, last;            // lines or planes touched along the first axis; none where last < first
    int32_t start, packs;           // of the box along the last axis; packs = 0: every line finds its own
};

// Whole samples from − half to + half around a place, cut to the array; where there are none, last < first.
template <class S>
inline void extent(S place, S half, int32_t anchor, int32_t samples, int32_t& first, int32_t& last) {
    const S low = std::ceil(place - half), high = std::floor(place + half);
    const S lowest = S(-anchor), highest = S(samples - 1 - anchor);
    first = anchor + int32_t(low > lowest ? (low < highest + 1 ? low : highest + 1) : lowest);
    last = anchor + int32_t(high < highest ? (high > lowest - 1 ? high : lowest - 1) : highest);
}

// Whole packs that hold the samples first ... last and stay inside the array; 0 where the array is too short for them.
inline int32_t place_packs(int32_t first, int32_t last, int32_t samples, int32_t& start) {
    const int32_t packs = (last - first) / WIDTH + 1;
    if (packs * WIDTH > samples) return 0;
    start = first + packs * WIDTH <= samples ? first : samples - packs * WIDTH;
    return packs;
}

// What differs between a detector and a grid: the per-Gaussian mathematics and how lines nest.
template <class S>
struct OnDetector {
    static constexpr int D = 2;
    static constexpr int BAND = 8;  // rows: a band of floats stays in the first cache
    using Frame = View;
    template <class T>
    using Math = Projection<T>;
};

template <class S>
struct OnGrid {
    static constexpr int D = 3;
    static constexpr int BAND = 2;  // slices
    using Frame = Grid;
    template <class T>
    using Math = Voxelization<T>;
};

// Whether a whole pack of Gaussians lies outside the array, so that their mathematics can be left out: a sub-box should
// cost what touches it. A box around each Gaussian's largest sphere decides; on a detector nearly all are seen.
template <class S, int W>
inline bool is_outside(const Gaussian<Pack<S, W>>& g, const Grid& grid) {
    typedef Pack<S, W> P;
    const P widest = exponential(larger(larger(g.log_scale[0], g.log_scale[1]), g.log_scale[2]));
    P excess(S(-1));
    for (int axis = 0; axis < 3; ++axis) {
        const double ends[2] = {grid.first[axis], grid.first[axis] + (grid.shape[axis] - 1) * grid.pitch[axis]};
        const P below = P(S(ends[0])) - g.mean[2 - axis], above = g.mean[2 - axis] - P(S(ends[1]));
        excess = larger(excess, larger(below, above) - widest * P(S(1.001 * RADIUS)));
    }
    for (int lane = 0; lane < W; ++lane)
        if (!(excess.v[lane] > S(1e-4) * S(grid.pitch[0]))) return false;
    return true;
}

template <class S, int W>
inline bool is_outside(const Gaussian<Pack<S, W>>&, const View&) {
    return false;
}

// The patch of one lane of a pack.
template <class S, int D, class Frame>
inline Patch<S, D> make_patch(const Footprint<Pack<S, WIDTH>, D>& footprint, int lane, const Frame& frame,
                              const S* mean) {
    constexpr int DIAGONAL[3] = {0, 2, 5};
    Patch<S, D> patch;
    double place[D];
    const bool seen = centre(frame, mean, place);
    for (int axis = 0; axis < D; ++axis) {
        if (!seen) place[axis] = 0;  // where that is may be no number
        const double last = frame.shape[axis] - 1;
        const double anchor = std::min(std::max(std::floor(place[axis] + 0.5), 0.0), last);
        patch.anchor[axis] = int32_t(anchor);
        patch.offset[axis] = S(place[axis] - anchor);
    }
    for (int k = 0; k < D * (D + 1) / 2; ++k) patch.factor[k] = footprint.factor[k].v[lane] * S(1 / UNIT);
    for (int axis = 0; axis < D; ++axis) patch.inverse[axis] = S(1) / patch.factor[DIAGONAL[axis]];
    patch.height = footprint.height.v[lane];
    extent(patch.offset[0], S(REACH) * patch.factor[0], patch.anchor[0], frame.shape[0], patch.first, patch.last);
    if (!seen) patch.last = patch.first - 1;
    int32_t first = 0, last = 0;
    for (int axis = 1, k = 1; axis < D; ++axis) {
        S variance = 0;
        for (int j = 0; j <= axis; ++j, ++k) variance += patch.factor[k] * patch.factor[k];
        const S reach = S(REACH) * std::sqrt(variance);
        extent(patch.offset[axis], reach, patch.anchor[axis], frame.shape[axis], first, last);
        if (last < first) patch.last = patch.first - 1;  // outside the array
    }
    patch.packs = last < first ? 0 : place_packs(first, last, frame.shape[D - 1], patch.start);
    if (patch.packs > BOX_PACKS) patch.packs = 0;
    return patch;
}

// A Gaussian's part of one line: samples from `first` on, in packs of WIDTH or else one by one. The value at sample x is
// that of t = ((x − anchor) − place) · step along the line, and of `off`, the squares of t along the other axes. Whole
// numbers are subtracted first: a narrow Gaussian's t would lose digits to any other order.
template <class S>
struct Line {
    int32_t first, packs, singles;
    S start, place, step, off;      // start = first − anchor
};

// False where the line passes the Gaussian by.
template <class S, int D>
inline bool cut_line(const Patch<S, D>& p, S place, S off, int32_t samples, Line<S>& line) {
    line.step = p.inverse[D - 1];
    line.off = off;
    line.packs = p.packs;
    line.first = p.start;
    if (p.packs == 0) {
        const S rest = S(REACH * REACH) - off;
        if (!(rest > 0)) return false;
        int32_t last;
        extent(place, p.factor[D * (D + 1) / 2 - 1] * std::sqrt(rest), p.anchor[D - 1], samples, line.first, last);
        if (last < line.first) return false;
        line.singles = last - line.first + 1;
        line.packs = place_packs(line.first, last, samples, line.first);
    }
    line.start = S(line.first - p.anchor[D - 1]);
    line.place = place;
    return true;
}

// Calls visit(row, t, line) for the lines of a patch in rows lowest ... highest of an image.
template <class S, class Visit>
inline void walk(const Patch<S, 2>& p, const int32_t* shape, int32_t lowest, int32_t highest, Visit&& visit) {
    lowest = lowest > p.first ? lowest : p.first;
    highest = highest < p.last ? highest : p.last;
    Line<S> line;
    for (int32_t row = lowest; row <= highest; ++row) {
        const S t = (S(row - p.anchor[0]) - p.offset[0]) * p.inverse[0];
        if (cut_line(p, p.offset[1] + p.factor[1] * t, t * t, shape[1], line)) visit(row, t, line);
    }
}

// The same in one slice of a volume; t is that of the slice.
template <class S, class Visit>
inline void walk_slice(const Patch<S, 3>& p, const int32_t* shape, S t, Visit&& visit) {
    const S rest = S(REACH * REACH) - t * t;
    if (!(rest > 0)) return;
    int32_t lowest, highest;
    const S middle = p.offset[1] + p.factor[1] * t, across = p.offset[2] + p.factor[3] * t;
    extent(middle, p.factor[2] * std::sqrt(rest), p.anchor[1], shape[1], lowest, highest);
    Line<S> line;
    for (int32_t row = lowest; row <= highest; ++row) {
        const S s = (S(row - p.anchor[1]) - middle) * p.inverse[1];
        if (cut_line(p, across + p.factor[4] * s, t * t + s * s, shape[2], line)) visit(row, s, line);
    }
}

}  // namespace NABGS_ISA
}  // namespace nabgs
