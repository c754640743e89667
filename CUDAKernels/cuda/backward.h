// Gradients: a team of threads owns a Gaussian and sums its moments; then each has a thread for its gradients.
#pragma once

#include "bins.h"

namespace nabgs {

constexpr int ACROSS = 4;  // lanes that go along one row

// Adds the moments of one row of samples; t is that of the other axes, off its square. Of ACROSS lanes, this is one.
template <int D>
__device__ __forceinline__ void add_row(const Patch<D>& p, const float* t, float off, const float* row, int samples,
                                        int lane, Moments<float, D>& m) {
    constexpr int LAST = D - 1, PAIRS = D * (D - 1) / 2;  // of the axes before the last
    const float left = REACH_SQUARED - off, inverse = p.inverse[LAST], width = 1.0f / inverse;
    if (!(left > 0)) return;
    float start = p.start[LAST];
    for (int j = 0; j < LAST; ++j) start += p.lean[PAIRS - LAST + j] * t[j];
    const int anchor = p.anchored(LAST);
    int first, last;
    extent(-start * width, rough_root(left) * width, anchor, samples, first, last);
    float value = 0, zeroth = 0, once = 0, twice = 0;
#pragma unroll 1  // rows are short, and sets of lanes differ in how long
    for (int x = first + lane % ACROSS; x <= last; x += ACROSS) {
        const float g = row[anchor + x], along = float(x) * inverse + start, e = power_of_two(-off - along * along);
        const float weighted = g * e, weighted_along = weighted * along;
        value += g * (e - float(FLOOR));
        zeroth += weighted;
        once += weighted_along;
        twice += weighted_along * along;
    }
    m.value += value;
    for (int i = 0, k = 0; i < LAST; ++i) {
        m.first[i] += t[i] * zeroth;
        for (int j = 0; j <= i; ++j, ++k) m.second[k] += t[i] * t[j] * zeroth;
        m.second[PAIRS + i] += t[i] * once;
    }
    m.first[LAST] += once;
    m.second[PAIRS + LAST] += twice;
}

// Adds a team member's part of a Gaussian's moments. Members come in sets of ACROSS lanes that share rows.
__device__ __forceinline__ void add_moments(const Patch<2>& p, const int* shape, const float* gradient, int member,
                                            int members, Moments<float, 2>& m) {
    const float width = 1.0f / p.inverse[0];
    int first, last;
    extent(-p.start[0] * width, float(REACH) * width, p.anchored(0), shape[0], first, last);
    for (int y = first + member / ACROSS; y <= last; y += members / ACROSS) {
        const float t = float(y) * p.inverse[0] + p.start[0];
        add_row(p, &t, t * t, gradient + (long long)(p.anchored(0) + y) * shape[1], shape[1], member, m);
    }
}

__device__ __forceinline__ void add_moments(const Patch<3>& p, const int* shape, const float* gradient, int member,
                                            int members, Moments<float, 3>& m) {
    const float widths[2] = {1.0f / p.inverse[0], 1.0f / p.inverse[1]};
    int first, last, first_row, last_row;
    extent(-p.start[0] * widths[0], float(REACH) * widths[0], p.anchored(0), shape[0], first, last);
    for (int z = first + member / LANES; z <= last; z += members / LANES) {
        float t[2];
        t[0] = float(z) * p.inverse[0] + p.start[0];
        const float left = REACH_SQUARED - t[0] * t[0], start = p.start[1] + p.lean[0] * t[0];
        if (!(left > 0)) continue;
        extent(-start * widths[1], rough_root(left) * widths[1], p.anchored(1), shape[1], first_row, last_row);
        const float* slice = gradient + (long long)(p.anchored(0) + z) * shape[1] * shape[2];
        for (int y = first_row + member % LANES / ACROSS; y <= last_row; y += LANES / ACROSS) {
            t[1] = float(y) * p.inverse[1] + start;
            const float* row = slice + (long long)(p.anchored(1) + y) * shape[2];
            add_row(p, t, t[0] * t[0] + t[1] * t[1], row, shape[2], member, m);
        }
    }
}

template <int D, class Each>
__device__ __forceinline__ void for_each_sum(Moments<float, D>& m, Each each) {
    each(m.value);
    for (int k = 0; k < D; ++k) each(m.first[k]);
    for (int k = 0; k < D * (D + 1) / 2; ++k) each(m.second[k]);
}

// The sum over teams of `team` lanes, in every lane.
template <int D>
__device__ __forceinline__ void sum_lanes(Moments<float, D>& m, int team) {
    for_each_sum(m, [team](float& sum) {
        for (int step = team / 2; step; step /= 2) sum += __shfl_xor_sync(ALL, sum, step);
    });
}

// In units of standard deviations, as gaussian.h has them.
template <int D>
__device__ __forceinline__ void put_moments(Moments<float, D> m, Moments<float, D>* place) {
    for (int k = 0; k < D; ++k) m.first[k] *= float(1 / UNIT);
    for (int k = 0; k < D * (D + 1) / 2; ++k) m.second[k] *= float(1 / UNIT / UNIT);
    *place = m;
}

// Gaussians `begin` to `end`, one for each team of TEAM lanes.
template <class On, int TEAM>
__device__ __forceinline__ void sum_by_teams(int begin, int end, int block, int blocks, const Patch<On::D>* patches,
                                             const long long* order, const int* shape, const float* gradient,
                                             Moments<float, On::D>* moments) {
    constexpr int TEAMS = SUM_WARPS * LANES / TEAM, IN_WARP = LANES / TEAM;
    const int team = threadIdx.x / TEAM, member = threadIdx.x % TEAM;
    // All lanes of a warp go round together: they meet in the sums.
    for (int some = begin + block * TEAMS + team / IN_WARP * IN_WARP; some < end; some += blocks * TEAMS) {
        const int k = some + team % IN_WARP;
        Moments<float, On::D> m = {};
        if (k < end) add_moments(patches[k], shape, gradient, member, TEAM, m);
        sum_lanes(m, TEAM);
        if (k < end && member == 0) put_moments(m, moments + order[k]);
    }
}

// The same with a whole block for each.
template <class On>
__device__ __forceinline__ void sum_by_blocks(int begin, int end, int block, int blocks, const Patch<On::D>* patches,
                                              const long long* order, const int* shape, const float* gradient,
                                              Moments<float, On::D>* moments) {
    __shared__ Moments<float, On::D> parts[SUM_WARPS];
    for (int k = begin + block; k < end; k += blocks) {
        Moments<float, On::D> m = {};
        add_moments(patches[k], shape, gradient, threadIdx.x, SUM_WARPS * LANES, m);
        sum_lanes(m, LANES);
        if (threadIdx.x % LANES == 0) parts[threadIdx.x / LANES] = m;
        __syncthreads();
        if (threadIdx.x == 0) {
            for (int warp = 1; warp < SUM_WARPS; ++warp) {
                const float* part = &parts[warp].value;
                for_each_sum(m, [&part](float& sum) { sum += *part++; });
            }
            put_moments(m, moments + order[k]);
        }
        __syncthreads();
    }
}

// moments = those of every Gaussian that touches the array. The first blocks take the large ones, which last longest.
template <class On>
__device__ __forceinline__ void sum_moments(const Patch<On::D>* patches, const long long* order, const int* starts,
                                            const typename On::Frame* frame, int bins, const float* gradient,
                                            Moments<float, On::D>* moments, int large_blocks, int medium_blocks) {
    constexpr int D = On::D;
    int shape[D];
    for (int axis = 0; axis < D; ++axis) shape[axis] = frame->shape[axis];
    const int medium = starts[first_bin<D>(shape, 1)], end = starts[bins];
    const int large = On::SUM_THREADS < LANES ? starts[first_bin<D>(shape, 2)] : medium;
    int block = blockIdx.x;
    if (block < large_blocks) {
        sum_by_blocks<On>(large, end, block, large_blocks, patches, order, shape, gradient, moments);
        return;
    }
    block -= large_blocks;
    if (block < medium_blocks) {
        sum_by_teams<On, LANES>(medium, large, block, medium_blocks, patches, order, shape, gradient, moments);
        return;
    }
    block -= medium_blocks;
    const int blocks = gridDim.x - large_blocks - medium_blocks;
    sum_by_teams<On, On::SUM_THREADS>(0, medium, block, blocks, patches, order, shape, gradient, moments);
}

// Gradients of the loss to every parameter.
template <class On>
__device__ __forceinline__ void backward(int count, const float* means, const float* log_scales, const float* quats,
                                         const float* densities, const typename On::Frame* frame, int bins, Keys keys,
                                         const Moments<float, On::D>* moments, float* mean_grads,
                                         float* log_scale_grads, float* quat_grads, float* density_grads) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    Gaussian<float> grad = {};
    if (keys.get(i) < bins) {
        const Gaussian<float> g = gather(i, means, log_scales, quats, densities);
        const typename On::Math math(g, *frame);
        math.backward(g, moments[i], grad);
    }
    for (int k = 0; k < 3; ++k) mean_grads[3 * i + k] = grad.mean[k];
    for (int k = 0; k < 3; ++k) log_scale_grads[3 * i + k] = grad.log_scale[k];
    for (int k = 0; k < 4; ++k) quat_grads[4 * i + k] = grad.quat[k];
    density_grads[i] = grad.density;
}

}  // namespace nabgs
