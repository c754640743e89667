// Gradients of rasterize and voxelize on CPU threads.
//
// A Gaussian's moments are summed by one thread, line by line. So results depend neither on how many threads there are
// nor on which of them is first, and nothing is added atomically.
#pragma once

#include <algorithm>
#include <cstring>

#include "arrays.h"
#include "moments.h"
#include "patch.h"
#include "workers.h"

namespace nabgs {
namespace NABGS_ISA {

// gradients = those of the loss to every parameter, from its gradient to every sample.
template <class S, template <class> class On>
bool backward(Workers& workers, int threads, const typename On<S>::Frame& frame, int64_t count,
              const Arrays<const S>& field, const S* gradient, const Arrays<S>& gradients) {
    constexpr int D = On<S>::D;
    workers.run(threads, chunks(count), [&](int64_t chunk) {
        const int64_t end = std::min(count, (chunk + 1) * CHUNK);
        for (int64_t first = chunk * CHUNK; first < end; first += WIDTH) {
            const int64_t lanes = std::min<int64_t>(WIDTH, end - first);
            Gaussian<Pack<S, WIDTH>> g, grad;
            gather(field, first, lanes, g);
            if (is_outside(g, frame)) {
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
