// SIMD packs of W numbers. GCC and Clang have vectors as types; elsewhere the loops are short and of fixed length, which
// a compiler unrolls.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__GNUC__)
#define NABGS_VECTORS 1
#endif

namespace nabgs {
namespace NABGS_ISA {

template <class S, int W>
struct Pack {
#if NABGS_VECTORS
    typedef S Vector __attribute__((vector_size(sizeof(S) * W)));
    Vector v;
#else
    S v[W];
#endif
    Pack() = default;
    explicit inline Pack(S s) {
#if NABGS_VECTORS
        v = s - Vector{};  // how GCC knows a broadcast
#else
        for (int k = 0; k < W; ++k) v[k] = s;
#endif
    }
    static inline Pack load(const S* from) {
        Pack p;
        std::memcpy(&p.v, from, sizeof p.v);
        return p;
    }
    inline void store(S* to) const { std::memcpy(to, &v, sizeof v); }
    static inline Pack counting() {
        Pack p;
        for (int k = 0; k < W; ++k) p.v[k] = S(k);
        return p;
    }
    inline S sum() const {
        S total = 0;
        for (int k = 0; k < W; ++k) total += v[k];
        return total;
    }
};

#if NABGS_VECTORS
#define NABGS_OPERATOR(op)                                                       \
    template <class S, int W>                                                    \
    inline Pack<S, W> operator op(const Pack<S, W>& a, const Pack<S, W>& b) {    \
        Pack<S, W> r;                                                            \
        r.v = a.v op b.v;                                                        \
        return r;                                                                \
    }
#else
#define NABGS_OPERATOR(op)                                                       \
    template <class S, int W>                                                    \
    inline Pack<S, W> operator op(const Pack<S, W>& a, const Pack<S, W>& b) {    \
        Pack<S, W> r;                                                            \
        for (int k = 0; k < W; ++k) r.v[k] = a.v[k] op b.v[k];                   \
        return r;                                                                \
    }
#endif
NABGS_OPERATOR(+)
NABGS_OPERATOR(-)
NABGS_OPERATOR(*)
NABGS_OPERATOR(/)
#undef NABGS_OPERATOR

// a where x > limit, 0 elsewhere.
template <class S, int W>
inline Pack<S, W> where_above(const Pack<S, W>& x, S limit, const Pack<S, W>& a) {
    Pack<S, W> r;
#if NABGS_VECTORS
    r.v = x.v > limit ? a.v : typename Pack<S, W>::Vector{};
#else
    for (int k = 0; k < W; ++k) r.v[k] = x.v[k] > limit ? a.v[k] : S(0);
#endif
    return r;
}

template <class S, int W>
inline Pack<S, W> larger(const Pack<S, W>& a, const Pack<S, W>& b) {
    Pack<S, W> r;
#if NABGS_VECTORS
    r.v = a.v > b.v ? a.v : b.v;
#else
    for (int k = 0; k < W; ++k) r.v[k] = a.v[k] > b.v[k] ? a.v[k] : b.v[k];
#endif
    return r;
}

template <class S, int W>
inline Pack<S, W> square_root(const Pack<S, W>& a) {
    Pack<S, W> r;
    for (int k = 0; k < W; ++k) r.v[k] = std::sqrt(a.v[k]);
    return r;
}

// 2^x of floats in [−125, 126]: exponent bits times a polynomial for the fraction in [−½, ½], within 1e-7 of its value.
template <int W>
inline Pack<float, W> power_of_two(const Pack<float, W>& x) {
    typedef Pack<float, W> P;
    const P magic(12582912.0f);  // 1.5 · 2²³: adding it rounds to whole numbers, kept in the low bits
    const P rounded = x + magic;
    const P f = x - (rounded - magic);
    P p(0.00132764701f);
    p = p * f + P(0.00967554132f);
    p = p * f + P(0.0555071328f);
    p = p * f + P(0.240221197f);
    p = p * f + P(0.693146967f);
    p = p * f + P(1.00000007f);
#if NABGS_VECTORS
    typedef uint32_t Whole __attribute__((vector_size(4 * W)));
    Whole exponent, bits;
    std::memcpy(&exponent, &rounded.v, sizeof exponent);
    std::memcpy(&bits, &p.v, sizeof bits);
    bits += exponent << 23;
    std::memcpy(&p.v, &bits, sizeof bits);
#else
    for (int k = 0; k < W; ++k) {
        uint32_t exponent, bits;
        std::memcpy(&exponent, &rounded.v[k], 4);
        std::memcpy(&bits, &p.v[k], 4);
        bits += exponent << 23;
        std::memcpy(&p.v[k], &bits, 4);
    }
#endif
    return p;
}

// Floats only go where power_of_two reaches; doubles are for proving the mathematics and need not be quick.
template <int W>
inline Pack<float, W> exponential(const Pack<float, W>& x) {
    return power_of_two(larger(x * Pack<float, W>(1.44269504f), Pack<float, W>(-125.0f)));
}

template <int W>
inline Pack<double, W> exponential(const Pack<double, W>& x) {
    Pack<double, W> r;
    for (int k = 0; k < W; ++k) r.v[k] = std::exp(x.v[k]);
    return r;
}

}  // namespace NABGS_ISA
}  // namespace nabgs
