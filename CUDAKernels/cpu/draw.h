// Forward and backward on CPU threads.
//
// Forward: the array is cut into bands of rows or slices; a band is drawn by one thread, Gaussian by Gaussian in their
// order. Backward: a Gaussian's moments are summed by one thread, line by line. So results depend neither on how many
// threads there are nor on which of them is first, and nothing is added atomically.
#pragma once

#include <algorithm>
#include <vector>

#include "arrays.h"
#include "lines.h"
#include "moments.h"
#include "workers.h"

namespace nabgs {
namespace NABGS_ISA {

// Gaussians that a thread takes at once.
constexpr int64_t CHUNK = 256;

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
    using Math = Blob<T>;
};

// Whether a whole pack of Gaussians lies beside the array, so that their mathematics can be left out: a sub-box should
// cost what touches it. A box around each Gaussian's largest sphere decides; on a detector nearly all are seen.
template <class S, int W>
inline bool is_beside(const Gaussian<Pack<S, W>>& g, const Grid& grid) {
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
inline bool is_beside(const Gaussian<Pack<S, W>>&, const View&) {
    return false;
}

// The patch of one lane of a pack.
template <class S, int D, class Frame>
inline Patch<S, D> make_patch(const Footprint<Pack<S, WIDTH>, D>& footprint, int lane, const Frame& frame, const S* mean) {
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
        if (last < first) patch.last = patch.first - 1;  // beside the array
    }
    patch.packs = last < first ? 0 : place_packs(first, last, frame.shape[D - 1], patch.start);
    if (patch.packs > BOX_PACKS) patch.packs = 0;
    return patch;
}

// Memory that is kept from call to call.
template <class S>
struct Workspace {
    std::vector<Patch<S, 2>> patches2;
    std::vector<Patch<S, 3>> patches3;
    std::vector<int64_t> places, begins, members;

    std::vector<Patch<S, 2>>& patches(OnDetector<S>) { return patches2; }
    std::vector<Patch<S, 3>>& patches(OnGrid<S>) { return patches3; }
};

template <class S>
inline void draw(const Patch<S, 2> patch, const int32_t* shape, int32_t lowest, int32_t highest, S* out) {
    walk(patch, shape, lowest, highest, [&](int32_t row, S, const Line<S>& line) {
        add_line(out + int64_t(row) * shape[1], line, patch.height);
    });
}

template <class S>
inline void draw(const Patch<S, 3> patch, const int32_t* shape, int32_t lowest, int32_t highest, S* out) {
    lowest = std::max(lowest, patch.first);
    highest = std::min(highest, patch.last);
    for (int32_t slice = lowest; slice <= highest; ++slice) {
        const S t = (S(slice - patch.anchor[0]) - patch.offset[0]) * patch.inverse[0];
        walk_slice(patch, shape, t, [&](int32_t row, S, const Line<S>& line) {
            add_line(out + (int64_t(slice) * shape[1] + row) * shape[2], line, patch.height);
        });
    }
}

inline int64_t chunks(int64_t count) { return (count + CHUNK - 1) / CHUNK; }

// out = the sum of all Gaussians' values. False where an input is not sound.
template <class S, template <class> class On>
bool forward(Workers& workers, int threads, Workspace<S>& space, const typename On<S>::Frame& frame, int64_t count,
             const Arrays<const S>& field, S* out) {
    constexpr int D = On<S>::D, BAND = On<S>::BAND;
    const int64_t bands = (frame.shape[0] + BAND - 1) / BAND;
    auto& patches = space.patches(On<S>());
    if (int64_t(patches.size()) < count) patches.resize(count);
    auto& places = space.places;    // (chunk, band): first how many Gaussians of the chunk touch the band
    places.assign(chunks(count) * bands, 0);
    std::atomic<bool> sound{true};
    workers.run(threads, chunks(count), [&](int64_t chunk) {
        const int64_t end = std::min(count, (chunk + 1) * CHUNK);
        int64_t* touching = &places[chunk * bands];
        for (int64_t first = chunk * CHUNK; first < end; first += WIDTH) {
            const int64_t lanes = std::min<int64_t>(WIDTH, end - first);
            for (int64_t i = first; i < first + lanes; ++i)
                if (!is_sound(field, i)) sound = false;
            if (!sound) return;
            Gaussian<Pack<S, WIDTH>> g;
            gather(field, first, lanes, g);
            if (is_beside(g, frame)) {
                for (int64_t i = first; i < first + lanes; ++i) patches[i].first = 0, patches[i].last = -1;
                continue;
            }
            const typename On<S>::template Math<Pack<S, WIDTH>> math(g, frame);
            for (int64_t i = first; i < first + lanes; ++i) {
                patches[i] = make_patch<S, D>(math.footprint, int(i - first), frame, field.means + 3 * i);
                for (int64_t band = patches[i].first / BAND; band * BAND <= patches[i].last; ++band) ++touching[band];
            }
        }
    });
    if (!sound) return false;

    // Then where they go, so that a band's Gaussians keep their order; then they are put there.
    auto& begins = space.begins;
    begins.assign(bands + 1, 0);
    int64_t total = 0;
    for (int64_t band = 0; band < bands; ++band) {
        begins[band] = total;
        for (int64_t chunk = 0; chunk < chunks(count); ++chunk) {
            const int64_t touching = places[chunk * bands + band];
            places[chunk * bands + band] = total;
            total += touching;
        }
    }
    begins[bands] = total;
    auto& members = space.members;
    if (int64_t(members.size()) < total) members.resize(total);
    workers.run(threads, chunks(count), [&](int64_t chunk) {
        int64_t* place = &places[chunk * bands];
        for (int64_t i = chunk * CHUNK; i < std::min(count, (chunk + 1) * CHUNK); ++i)
            for (int64_t band = patches[i].first / BAND; band * BAND <= patches[i].last; ++band)
                members[place[band]++] = i;
    });

    int64_t row = 1;
    for (int axis = 1; axis < D; ++axis) row *= frame.shape[axis];
    workers.run(threads, bands, [&](int64_t band) {
        const int32_t lowest = int32_t(band * BAND), highest = std::min<int32_t>(lowest + BAND, frame.shape[0]) - 1;
        std::fill(out + lowest * row, out + (highest + 1) * row, S(0));
        for (int64_t k = begins[band]; k < begins[band + 1]; ++k)
            draw(patches[members[k]], frame.shape, lowest, highest, out);
    });
    return true;
}

// gradients = those of the loss to every parameter, from its gradient to every sample.
template <class S, template <class> class On>
bool backward(Workers& workers, int threads, Workspace<S>&, const typename On<S>::Frame& frame, int64_t count,
              const Arrays<const S>& field, const S* gradient, const Arrays<S>& gradients) {
    constexpr int D = On<S>::D;
    workers.run(threads, chunks(count), [&](int64_t chunk) {
        const int64_t end = std::min(count, (chunk + 1) * CHUNK);
        for (int64_t first = chunk * CHUNK; first < end; first += WIDTH) {
            const int64_t lanes = std::min<int64_t>(WIDTH, end - first);
            Gaussian<Pack<S, WIDTH>> g, grad;
            gather(field, first, lanes, g);
            if (is_beside(g, frame)) {
                std::memset(&grad, 0, sizeof grad);
                scatter(grad, first, lanes, gradients);
                continue;
            }
            const typename On<S>::template Math<Pack<S, WIDTH>> math(g, frame);
            Moments<Pack<S, WIDTH>, D> moments;
            bool touched = false;
            for (int64_t lane = 0; lane < WIDTH; ++lane) {
                Moments<S, D> m{};
                if (lane < lanes) {
                    const S* mean = field.means + 3 * (first + lane);
                    const auto patch = make_patch<S, D>(math.footprint, int(lane), frame, mean);
                    if (patch.first <= patch.last) {
                        sum_moments(patch, frame.shape, gradient, m);
                        touched = true;
                    }
                }
                moments.value.v[lane] = m.value;
                for (int k = 0; k < D; ++k) moments.first[k].v[lane] = m.first[k];
                for (int k = 0; k < D * (D + 1) / 2; ++k) moments.second[k].v[lane] = m.second[k];
            }
            if (touched) {
                math.backward(g, moments, grad);
            } else {
                std::memset(&grad, 0, sizeof grad);
            }
            scatter(grad, first, lanes, gradients);
        }
    });
    return true;
}

}  // namespace NABGS_ISA
}  // namespace nabgs
