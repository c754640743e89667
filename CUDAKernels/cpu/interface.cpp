// The C interface: picks the build for this processor, keeps the threads, and lets no exception out.
#include "../nabgs.h"

#include <mutex>
#include <new>

#include "launch.h"

#if defined(_MSC_VER)
#include <immintrin.h>
#include <intrin.h>
#endif
#if !defined(_WIN32)
#include <unistd.h>
#endif

namespace nabgs {

namespace baseline {
extern const Launchers LAUNCHERS;
}
#if defined(NABGS_X86)
namespace avx2 {
extern const Launchers LAUNCHERS;
}
namespace avx512 {
extern const Launchers LAUNCHERS;
}
#endif

namespace {

struct Build {
    const char* name;
    const Launchers* launchers;
};

#if defined(NABGS_X86) && defined(_MSC_VER)
// The processor has the instructions, and the system saves their registers.
bool has_avx(bool wide) {
    int leaf[4];
    __cpuid(leaf, 0);
    if (leaf[0] < 7) return false;
    __cpuid(leaf, 1);
    const bool saved = (leaf[2] >> 27) & 1, fma = (leaf[2] >> 12) & 1;
    if (!saved || !fma) return false;
    const unsigned long long state = _xgetbv(0), needed = wide ? 0xe6 : 0x6;
    if ((state & needed) != needed) return false;
    __cpuidex(leaf, 7, 0);
    const unsigned features = unsigned(leaf[1]), foundation = (1u << 16) | (1u << 17) | (1u << 30) | (1u << 31);
    return wide ? (features & foundation) == foundation : (features >> 5) & 1;
}
#endif

Build choose_build() {
#if defined(NABGS_X86) && defined(_MSC_VER)
    if (has_avx(true)) return {"avx512", &avx512::LAUNCHERS};
    if (has_avx(false)) return {"avx2", &avx2::LAUNCHERS};
#elif defined(NABGS_X86)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512vl"))
        return {"avx512", &avx512::LAUNCHERS};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {"avx2", &avx2::LAUNCHERS};
#endif
    return {"baseline", &baseline::LAUNCHERS};
}

const Build& build() {
    static const Build chosen = choose_build();
    return chosen;
}

std::mutex one_at_a_time;

long this_process() {
#if defined(_WIN32)
    return 1;  // has no fork
#else
    return long(getpid());
#endif
}

template <class Call>
int guarded(Call&& call) {
    static Workers* workers = nullptr;  // its threads never end, so it must not either
    static long owner = 0;
    try {
        std::lock_guard<std::mutex> lock(one_at_a_time);
        if (!workers || owner != this_process()) {  // a fork has the memory, but none of the threads
            workers = new Workers;
            owner = this_process();
        }
        return call(*workers) ? NABGS_DONE : NABGS_UNSOUND_INPUT;
    } catch (const std::bad_alloc&) {
        return NABGS_OUT_OF_MEMORY;
    }
}

int forward(Array array, const void* frame, int precision, int64_t count, const void* const* field, void* out,
            int threads) {
    return guarded([&](Workers& workers) {
        return build().launchers->forward[array][precision](workers, threads, frame, count, field, out);
    });
}

int backward(Array array, const void* frame, int precision, int64_t count, const void* const* field,
             const void* gradient, void* const* gradients, int threads) {
    return guarded([&](Workers& workers) {
        return build().launchers->backward[array][precision](workers, threads, frame, count, field, gradient,
                                                              gradients);
    });
}

}  // namespace
}  // namespace nabgs

using namespace nabgs;

int nabgs_interface(void) { return NABGS_INTERFACE; }

const char* nabgs_instruction_set(void) { return build().name; }

int nabgs_rasterize(const void* view, int precision, int64_t count, const void* const field[4], void* image,
                    int threads) {
    return forward(DETECTOR, view, precision, count, field, image, threads);
}

int nabgs_rasterize_backward(const void* view, int precision, int64_t count, const void* const field[4],
                             const void* image_gradient, void* const gradients[4], int threads) {
    return backward(DETECTOR, view, precision, count, field, image_gradient, gradients, threads);
}

int nabgs_voxelize(const void* grid, int precision, int64_t count, const void* const field[4], void* volume,
                   int threads) {
    return forward(GRID, grid, precision, count, field, volume, threads);
}

int nabgs_voxelize_backward(const void* grid, int precision, int64_t count, const void* const field[4],
                            const void* volume_gradient, void* const gradients[4], int threads) {
    return backward(GRID, grid, precision, count, field, volume_gradient, gradients, threads);
}

int nabgs_view_loss(int precision, const int32_t shape[2], const void* x, const void* y, double range, double absolute,
                    double dissimilarity, double* loss, void* gradient, int threads) {
    return guarded([&](Workers& workers) {
        *loss = build().launchers->view_loss[precision](workers, threads, shape, x, y, range, absolute, dissimilarity,
                                                        gradient);
        return true;
    });
}

int nabgs_convolve(const int64_t shape[3], const float* weights, const float* gain, const float* offset, int cut,
                   const float* added, const float* from, float* to, int threads) {
    const Convolve convolve = build().launchers->convolve;
    if (!convolve) return NABGS_NOT_BUILT;
    return guarded([&](Workers& workers) {
        convolve(workers, threads, shape, weights, Finish{gain, offset, added, cut != 0}, from, to);
        return true;
    });
}

int nabgs_project(const NabgsParallelBeam* beam, const double* angles, int precision, int64_t slices,
                  const void* voxels, void* columns, int threads) {
    return guarded([&](Workers& workers) {
        build().launchers->project[precision](workers, threads, *beam, angles, slices, voxels, columns);
        return true;
    });
}

int nabgs_backproject(const NabgsParallelBeam* beam, const double* angles, int precision, int64_t slices,
                      const void* columns, void* voxels, int threads) {
    return guarded([&](Workers& workers) {
        build().launchers->backproject[precision](workers, threads, *beam, angles, slices, columns, voxels);
        return true;
    });
}
