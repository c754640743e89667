// The entry points for one instruction set; CMake compiles this file once for each.
#include "launch.h"

#include "backward.h"
#include "convolution.h"
#include "footprint.h"
#include "forward.h"
#include "view_loss.h"

namespace nabgs {
namespace NABGS_ISA {
namespace {

template <class S>
Workspace<S>& workspace() {
    static Workspace<S>* space = new Workspace<S>;  // never destroyed: a thread may still be at work at exit
    return *space;
}

template <class S, template <class> class On>
bool run_forward(Workers& workers, int threads, const void* frame, int64_t count, const void* const* field, void* out) {
    const Arrays<const S> arrays{static_cast<const S*>(field[0]), static_cast<const S*>(field[1]),
                                 static_cast<const S*>(field[2]), static_cast<const S*>(field[3])};
    return forward<S, On>(workers, threads, workspace<S>(), *static_cast<const typename On<S>::Frame*>(frame), count,
                          arrays, static_cast<S*>(out));
}

template <class S, template <class> class On>
bool run_backward(Workers& workers, int threads, const void* frame, int64_t count, const void* const* field,
                  const void* gradient, void* const* gradients) {
    const Arrays<const S> arrays{static_cast<const S*>(field[0]), static_cast<const S*>(field[1]),
                                 static_cast<const S*>(field[2]), static_cast<const S*>(field[3])};
    const Arrays<S> results{static_cast<S*>(gradients[0]), static_cast<S*>(gradients[1]),
                            static_cast<S*>(gradients[2]), static_cast<S*>(gradients[3])};
    return backward<S, On>(workers, threads, *static_cast<const typename On<S>::Frame*>(frame), count,
                           arrays, static_cast<const S*>(gradient), results);
}

template <class S>
double run_view_loss(Workers& workers, int threads, const int32_t* shape, const void* x, const void* y, double range,
                     double absolute, double dissimilarity, void* gradient) {
    static LossSpace<S>* space = new LossSpace<S>;
    return view_loss(workers, threads, *space, shape, static_cast<const S*>(x), static_cast<const S*>(y), range,
                     absolute, dissimilarity, static_cast<S*>(gradient));
}

template <class S>
void run_project(Workers& workers, int threads, const NabgsParallelBeam& beam, const double* angles, int64_t slices,
                 const void* voxels, void* columns) {
    project(workers, threads, beam, angles, slices, static_cast<const S*>(voxels), static_cast<S*>(columns));
}

template <class S>
void run_backproject(Workers& workers, int threads, const NabgsParallelBeam& beam, const double* angles,
                     int64_t slices, const void* columns, void* voxels) {
    backproject(workers, threads, beam, angles, slices, static_cast<const S*>(columns), static_cast<S*>(voxels));
}

}  // namespace

extern const Launchers LAUNCHERS;
const Launchers LAUNCHERS = {
    {{run_forward<float, OnDetector>, run_forward<double, OnDetector>},
     {run_forward<float, OnGrid>, run_forward<double, OnGrid>}},
    {{run_backward<float, OnDetector>, run_backward<double, OnDetector>},
     {run_backward<float, OnGrid>, run_backward<double, OnGrid>}},
    {run_view_loss<float>, run_view_loss<double>},
    {run_project<float>, run_project<double>},
    {run_backproject<float>, run_backproject<double>},
#if defined(NABGS_VECTORS) && (defined(__AVX2__) || defined(__AVX512F__))
    convolve,
#else
    nullptr,  // without vectors and many registers the products are no quicker than a direct sum
#endif
};

}  // namespace NABGS_ISA
}  // namespace nabgs
