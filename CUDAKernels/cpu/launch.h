// The entry points that every instruction set's build of launch.cpp offers.
#pragma once

#include <cstdint>

#include "workers.h"

namespace nabgs {

// field, gradients: four arrays as the C interface takes them.
typedef bool (*Forward)(Workers&, int threads, const void* frame, int64_t count, const void* const* field, void* out);
typedef bool (*Backward)(Workers&, int threads, const void* frame, int64_t count, const void* const* field,
                         const void* gradient, void* const* gradients);

typedef double (*ViewLoss)(Workers&, int threads, const int32_t* shape, const void* x, const void* y, double range,
                           double absolute, double dissimilarity, void* gradient);

enum Array { DETECTOR, GRID };
enum Precision { SINGLE, DOUBLE };

struct Launchers {
    Forward forward[2][2];    // [Array][Precision]
    Backward backward[2][2];
    ViewLoss view_loss[2];
};

}  // namespace nabgs
