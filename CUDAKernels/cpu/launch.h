// The entry points that every instruction set's build of launch.cpp offers.
#pragma once

#include <cstdint>

#include "../parallel_beam.h"
#include "workers.h"

namespace nabgs {

// field, gradients: four arrays as the C interface takes them.
typedef bool (*Forward)(Workers&, int threads, const void* frame, int64_t count, const void* const* field, void* out);
typedef bool (*Backward)(Workers&, int threads, const void* frame, int64_t count, const void* const* field,
                         const void* gradient, void* const* gradients);

typedef double (*ViewLoss)(Workers&, int threads, const int32_t* shape, const void* x, const void* y, double range,
                           double absolute, double dissimilarity, void* gradient);

// Projection takes voxels and gives columns of the detector; its transpose takes these and adds to voxels.
typedef void (*SliceSums)(Workers&, int threads, const NabgsParallelBeam& beam, const double* angles, int64_t slices,
                          const void* from, void* to);

// Images are convolved, and what is made of the sums is told; see convolution.h.
struct Finish {
    const float *gain, *offset;  // (images, channels)
    const float* added;          // (images, rows, columns, channels), or none
    bool cut;                    // not below zero, before anything is added
};
typedef void (*Convolve)(Workers&, int threads, const int64_t* shape, const float* weights, const Finish& finish,
                         const float* from, float* to);

enum Array { DETECTOR, GRID };
enum Precision { SINGLE, DOUBLE };

struct Launchers {
    Forward forward[2][2];    // [Array][Precision]
    Backward backward[2][2];
    ViewLoss view_loss[2];
    SliceSums project[2], backproject[2];
    Convolve convolve;  // none where torch has a better one
};

}  // namespace nabgs
