// Prints how many operations the mathematics of one Gaussian takes, forward and in all, by doing it with numbers that
// count: what CTSuperResolutionLib/bench/operation_counts.py states.
#include <cmath>
#include <cstdio>

static long operations = 0;

struct Counted {
    double v;
    Counted() : v(0) {}
    Counted(double x) : v(x) {}
};

static Counted counted(double v) {
    ++operations;
    return Counted(v);
}

inline Counted operator+(const Counted& a, const Counted& b) { return counted(a.v + b.v); }
inline Counted operator-(const Counted& a, const Counted& b) { return counted(a.v - b.v); }
inline Counted operator*(const Counted& a, const Counted& b) { return counted(a.v * b.v); }
inline Counted operator/(const Counted& a, const Counted& b) { return counted(a.v / b.v); }
inline Counted square_root(const Counted& a) { return counted(std::sqrt(a.v)); }
inline Counted exponential(const Counted& a) { return counted(std::exp(a.v)); }
inline Counted larger(const Counted& a, const Counted& b) { return counted(a.v > b.v ? a.v : b.v); }

#include "gaussian.h"

template <class Math, int D, class Frame>
void count(const char* name, const Frame& frame) {
    nabgs::Gaussian<Counted> g, grad;
    for (int k = 0; k < 3; ++k) g.mean[k] = 0.1 * k;
    for (int k = 0; k < 3; ++k) g.log_scale[k] = -4 - 0.1 * k;
    for (int k = 0; k < 4; ++k) g.quat[k] = 1 + 0.2 * k;
    g.density = 1;
    operations = 0;
    const Math math(g, frame);
    const long forward = operations;
    nabgs::Moments<Counted, D> moments;
    moments.value = 1;
    for (auto& first : moments.first) first = 1;
    for (auto& second : moments.second) second = 1;
    math.backward(g, moments, grad);
    std::printf("%s %ld %ld\n", name, forward, operations);
}

int main() {
    const nabgs::View parallel{1, 0, {.1, .1}, 0, 0, {9, 9}}, cone{1, 0, {.1, .1}, 6, 9, {9, 9}};
    const nabgs::Grid grid{{.1, .1, .1}, {-1, -1, -1}, {9, 9, 9}};
    count<nabgs::Projection<Counted>, 2>("parallel", parallel);
    count<nabgs::Projection<Counted>, 2>("cone", cone);
    count<nabgs::Voxelization<Counted>, 3>("grid", grid);
}
