// Moments: sums over the samples of one Gaussian, line by line, that its gradients are made of.
#pragma once

#include "lines.h"
#include "patch.h"

namespace nabgs {
namespace NABGS_ISA {

template <class S>
inline void sum_moments(const Patch<S, 2> patch, const int32_t* shape, const S* gradient, Moments<S, 2>& m) {
    typedef Pack<S, WIDTH> P;
    const P zero{S(0)};
    P value = zero, t = zero, tt = zero, s = zero, ts = zero, ss = zero;
    walk(patch, shape, 0, shape[0] - 1, [&](int32_t row, S place, const Line<S>& line) {
        const auto sums = sum_line(gradient + int64_t(row) * shape[1], line);
        const P at(place), at_zeroth = at * sums.zeroth;
        value = value + sums.value;
        t = t + at_zeroth;
        tt = tt + at * at_zeroth;
        s = s + sums.first;
        ts = ts + at * sums.first;
        ss = ss + sums.second;
    });
    m.value = value.sum();
    const P first[] = {t, s}, second[] = {tt, ts, ss};
    for (int k = 0; k < 2; ++k) m.first[k] = S(1 / UNIT) * first[k].sum();
    for (int k = 0; k < 3; ++k) m.second[k] = S(1 / UNIT / UNIT) * second[k].sum();
}

template <class S>
inline void sum_moments(const Patch<S, 3> patch, const int32_t* shape, const S* gradient, Moments<S, 3>& m) {
    typedef Pack<S, WIDTH> P;
    const P zero{S(0)};
    P value = zero, r = zero, rr = zero, t = zero, tr = zero, tt = zero, s = zero, sr = zero, st = zero, ss = zero;
    for (int32_t slice = patch.first; slice <= patch.last; ++slice) {
        const S across = (S(slice - patch.anchor[0]) - patch.offset[0]) * patch.inverse[0];
        P zeroth = zero, first_t = zero, second_t = zero, first_s = zero, st_slice = zero;
        walk_slice(patch, shape, across, [&](int32_t row, S place, const Line<S>& line) {
            const S* samples = gradient + (int64_t(slice) * shape[1] + row) * shape[2];
            const auto sums = sum_line(samples, line);
            const P at(place), at_zeroth = at * sums.zeroth;
            value = value + sums.value;
            zeroth = zeroth + sums.zeroth;
            first_t = first_t + at_zeroth;
            second_t = second_t + at * at_zeroth;
            first_s = first_s + sums.first;
            st_slice = st_slice + at * sums.first;
            ss = ss + sums.second;
        });
        const P at(across), at_zeroth = at * zeroth;
        r = r + at_zeroth;
        rr = rr + at * at_zeroth;
        t = t + first_t;
        tr = tr + at * first_t;
        tt = tt + second_t;
        s = s + first_s;
        sr = sr + at * first_s;
        st = st + st_slice;
    }
    m.value = value.sum();
    const P first[] = {r, t, s}, second[] = {rr, tr, tt, sr, st, ss};
    for (int k = 0; k < 3; ++k) m.first[k] = S(1 / UNIT) * first[k].sum();
    for (int k = 0; k < 6; ++k) m.second[k] = S(1 / UNIT / UNIT) * second[k].sum();
}

}  // namespace NABGS_ISA
}  // namespace nabgs
