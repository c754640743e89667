// The innermost loops: a Gaussian added to a line of samples, and moments taken from a line of gradients.
#pragma once

#include "pack.h"
#include "patch.h"

namespace nabgs {
namespace NABGS_ISA {

template <int W>
inline Pack<float, W> bell(const Pack<float, W>& squared) {
    return power_of_two(larger(Pack<float, W>(0.0f) - squared, Pack<float, W>(-100.0f)));
}

template <int W>
inline Pack<double, W> bell(const Pack<double, W>& squared) {
    return exponential(squared * Pack<double, W>(-0.69314718055994531));
}

template <int W, class S>
inline void add_packs(S* samples, const Line<S>& line, int32_t packs, S height) {
    typedef Pack<S, W> P;
    const P off(line.off), floor{S(FLOOR)}, zero{S(0)}, scale(height);
    const P place(line.place), step(line.step), stride(S{W});
    P x = P::counting() + P(line.start);
    S* here = samples + line.first;
    for (int32_t k = 0; k < packs; ++k, here += W, x = x + stride) {
        const P t = (x - place) * step;
        const P value = larger(bell(off + t * t) - floor, zero) * scale;
        (P::load(here) + value).store(here);
    }
}

// line += height · max(0, exp(−½ tᵀt) − FLOOR)
template <class S>
inline void add_line(S* samples, const Line<S>& line, S height) {
    if (line.packs == 1) {
        add_packs<WIDTH>(samples, line, 1, height);
    } else if (line.packs) {
        add_packs<WIDTH>(samples, line, line.packs, height);
    } else {
        add_packs<1>(samples, line, line.singles, height);
    }
}

// Sums over a line, in the units of `bell`; see Moments.
template <class P>
struct LineMoments {
    P value, zeroth, first, second;
};

template <int W, class S>
inline LineMoments<Pack<S, W>> sum_packs(const S* gradient, const Line<S>& line, int32_t packs) {
    typedef Pack<S, W> P;
    const P off(line.off), floor{S(FLOOR)};
    const P place(line.place), step(line.step), stride(S{W});
    P x = P::counting() + P(line.start);
    LineMoments<P> sums{P(S(0)), P(S(0)), P(S(0)), P(S(0))};
    const S* here = gradient + line.first;
    for (int32_t k = 0; k < packs; ++k, here += W, x = x + stride) {
        const P t = (x - place) * step;
        const P e = bell(off + t * t);
        const P g = where_above(e, S(FLOOR), P::load(here));
        const P weighted = g * e;
        const P once = weighted * t;
        sums.value = sums.value + (weighted - g * floor);
        sums.zeroth = sums.zeroth + weighted;
        sums.first = sums.first + once;
        sums.second = sums.second + once * t;
    }
    return sums;
}

template <class S>
inline LineMoments<Pack<S, WIDTH>> sum_line(const S* gradient, const Line<S>& line) {
    if (line.packs == 1) return sum_packs<WIDTH>(gradient, line, 1);
    if (line.packs) return sum_packs<WIDTH>(gradient, line, line.packs);
    typedef Pack<S, WIDTH> P;
    const auto few = sum_packs<1>(gradient, line, line.singles);
    LineMoments<P> sums{P(S(0)), P(S(0)), P(S(0)), P(S(0))};
    sums.value.v[0] = few.value.v[0];
    sums.zeroth.v[0] = few.zeroth.v[0];
    sums.first.v[0] = few.first.v[0];
    sums.second.v[0] = few.second.v[0];
    return sums;
}

}  // namespace NABGS_ISA
}  // namespace nabgs
