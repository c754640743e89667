// The kernels of CUDAKernels/cuda as a library for the CPU.
#include "cuda_on_cpu.h"

#include "cuda/kernels.cu"

namespace {

struct Named {
    const char* name;
    void (*call)(void**);
};

#define KERNEL(name) {#name, on_cpu::call<name>}
#define OPERATION(name) \
    KERNEL(name##_prepare), KERNEL(name##_arrange), KERNEL(name##_forward), KERNEL(name##_moments), KERNEL(name##_backward)
const Named KERNELS[] = {KERNEL(write_frame), OPERATION(rasterize), OPERATION(voxelize), KERNEL(loss_maps),
                         KERNEL(loss_gradient)};

}  // namespace

// Null, or what went wrong. Arguments: 8 bytes each, an address, a whole number or a double.
extern "C" const char* run_kernel(const char* name, int blocks, int threads, void** arguments, int schedule) {
    for (const Named& kernel : KERNELS)
        if (!strcmp(kernel.name, name)) return on_cpu::run(kernel.call, blocks, threads, arguments, schedule);
    return "there is no such kernel";
}
