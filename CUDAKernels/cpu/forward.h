// Rasterize and voxelize on CPU threads.
//
// The array is cut into bands of rows or slices. A band belongs to one thread, which adds Gaussian by Gaussian in their
// order. So results depend neither on how many threads there are nor on which of them is first.
#pragma once

#include <algorithm>
#include <atomic>
#include <vector>

#include "arrays.h"
#include "lines.h"
#include "patch.h"
#include "workers.h"

namespace nabgs {
namespace NABGS_ISA {

// Memory that is kept from call to call.
template <class S>
struct Workspace {
    std::vector<Patch<S, 2>> patches2;
    std::vector<Patch<S, 3>> patches3;
    std::vector<int64_t> places, begins, members;

    std::vector<Patch<S, 2>>& patches(OnDetector<S>) { return patches2; }
    std::vector<Patch<S, 3>>& patches(OnGrid<S>) { return patches3; }
};

// out += one Gaussian's values in rows lowest ... highest of an image.
template <class S>
inline void add_patch(const Patch<S, 2> patch, const int32_t* shape, int32_t lowest, int32_t highest, S* out) {
    walk(patch, shape, lowest, highest, [&](int32_t row, S, const Line<S>& line) {
        add_line(out + int64_t(row) * shape[1], line, patch.height);
    });
}

// The same in slices of a volume.
template <class S>
inline void add_patch(const Patch<S, 3> patch, const int32_t* shape, int32_t lowest, int32_t highest, S* out) {
    lowest = std::max(lowest, patch.first);
    highest = std::min(highest, patch.last);
    for (int32_t slice = lowest; slice <= highest; ++slice) {
        const S t = (S(slice - patch.anchor[0]) - patch.offset[0]) * patch.inverse[0];
        walk_slice(patch, shape, t, [&](int32_t row, S, const Line<S>& line) {
            add_line(out + (int64_t(slice) * shape[1] + row) * shape[2], line, patch.height);
        });
    }
}

// out = the field on a detector or a grid. False where an input is not sound.
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
            if (is_outside(g, frame)) {
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
            add_patch(patches[members[k]], frame.shape, lowest, highest, out);
    });
    return true;
}

}  // namespace NABGS_ISA
}  // namespace nabgs
