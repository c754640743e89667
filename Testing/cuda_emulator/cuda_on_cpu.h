// CUDA's vocabulary on a CPU, to run the text of the kernels where there is no GPU.
//
// The threads of a block are fibers that one processor runs in turn; each runs until it meets others at a barrier or in
// a warp's exchange, and a warp as far as it can. All threads of the block, or all lanes of the warp, must come to the
// same one: where some do not, run() says so. The order of threads and of blocks is the caller's, so what depends on it
// shows, and so does shared memory that no thread of the block has written.
#pragma once

#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __shared__ static thread_local  // every block has a thread of its own, one after the other

struct Dimensions {
    int x, y, z;
};
struct alignas(16) float4 {
    float x, y, z, w;
};

inline Dimensions threadIdx, blockIdx, blockDim, gridDim;

namespace on_cpu {

constexpr int LANES = 32, MOST_THREADS = 1024, STACK = 64 * 1024;
constexpr int SYNC_BLOCK = 1, SYNC_WARP = 2, SHUFFLE = 3, BALLOT = 4;

// Where threads meet; `round` counts how often all have.
struct Meeting {
    int members, arrived, round, what;
};

struct Fiber {
    jmp_buf here;
    std::unique_ptr<char[]> stack;
    Meeting* waits_for;
    int round;
    bool started, done;
};

struct Machine {
    std::vector<Fiber> fibers{MOST_THREADS};
    Meeting block, warps[MOST_THREADS / LANES];
    uint32_t slots[MOST_THREADS / LANES][2][LANES];
    jmp_buf scheduler;
    const char* fault;
    void (*kernel)(void**);
    void** arguments;
    int current;
};

inline Machine machine;

inline void meet(Meeting& meeting, int what) {
    Machine& m = machine;
    if (meeting.arrived && meeting.what != what) m.fault = "threads meet in different places";
    meeting.what = what;
    if (++meeting.arrived == meeting.members) {
        meeting.arrived = 0;
        ++meeting.round;
        return;
    }
    Fiber& fiber = m.fibers[m.current];
    fiber.waits_for = &meeting;
    fiber.round = meeting.round;
    if (!_setjmp(fiber.here)) _longjmp(m.scheduler, 1);
}

// A lane's value for the others. Two sets of slots in turn: none is written before all have read it.
inline uint32_t* exchange(uint32_t value, int what) {
    Machine& m = machine;
    const int warp = m.current / LANES, lane = m.current % LANES;
    uint32_t* slots = m.slots[warp][m.warps[warp].round % 2];
    slots[lane] = value;
    meet(m.warps[warp], what);
    return slots;
}

template <class T>
inline T shuffle(T value, int from) {
    static_assert(sizeof(T) == 4, "");
    uint32_t bits;
    memcpy(&bits, &value, 4);
    const uint32_t* slots = exchange(bits, SHUFFLE);
    memcpy(&value, &slots[from], 4);
    return value;
}

inline void enter_fiber() {
    machine.kernel(machine.arguments);
    machine.fibers[machine.current].done = true;
    _longjmp(machine.scheduler, 1);
}

inline void resume(int thread) {
    Machine& m = machine;
    Fiber& fiber = m.fibers[thread];
    m.current = thread;
    threadIdx = {thread, 0, 0};
    if (_setjmp(m.scheduler)) return;
    if (fiber.started) _longjmp(fiber.here, 1);
    fiber.started = true;
    if (!fiber.stack) fiber.stack.reset(new char[STACK]);
    ucontext_t start;
    getcontext(&start);
    start.uc_stack.ss_sp = fiber.stack.get();
    start.uc_stack.ss_size = STACK;
    start.uc_link = nullptr;
    makecontext(&start, enter_fiber, 0);
    setcontext(&start);
}

inline void run_block(const std::vector<int>& warps, const std::vector<int>& lanes, int threads) {
    Machine& m = machine;
    m.block = {threads, 0, 0, 0};
    for (int warp : warps) m.warps[warp] = {std::min(LANES, threads - warp * LANES), 0, 0, 0};
    for (int thread = 0; thread < threads; ++thread) {
        Fiber& fiber = m.fibers[thread];
        fiber.waits_for = nullptr;
        fiber.started = fiber.done = false;
    }
    for (int left = threads; left;) {
        bool any_moved = false;
        for (int warp : warps) {
            for (bool moved = true; moved;) {
                moved = false;
                for (int lane : lanes) {
                    const int thread = warp * LANES + lane;
                    Fiber& fiber = m.fibers[thread];
                    if (thread >= threads || fiber.done) continue;
                    if (fiber.waits_for && fiber.waits_for->round == fiber.round) continue;
                    fiber.waits_for = nullptr;
                    resume(thread);
                    moved = any_moved = true;
                    left -= fiber.done;
                    if (m.fault) return;
                }
            }
        }
        if (!any_moved) {
            m.fault = "some threads wait for others that are gone";
            return;
        }
    }
}

// One after the other (0), from the last to the first (1), or shuffled.
inline std::vector<int> make_order(int count, int schedule) {
    std::vector<int> order(count);
    for (int k = 0; k < count; ++k) order[k] = schedule == 1 ? count - 1 - k : k;
    if (schedule > 1) std::shuffle(order.begin(), order.end(), std::mt19937(schedule));
    return order;
}

// What went wrong; null where nothing did.
inline const char* run(void (*kernel)(void**), int blocks, int threads, void** arguments, int schedule) {
    Machine& m = machine;
    m.kernel = kernel;
    m.arguments = arguments;
    m.fault = nullptr;
    blockDim = {threads, 1, 1};
    gridDim = {blocks, 1, 1};
    const std::vector<int> warps = make_order((threads - 1) / LANES + 1, schedule), lanes = make_order(LANES, schedule);
    for (int block : make_order(blocks, schedule)) {
        blockIdx = {block, 0, 0};
        std::thread([&] { run_block(warps, lanes, threads); }).join();
        if (m.fault) break;
    }
    return m.fault;
}

template <class... A, size_t... I>
void unpack(void (*kernel)(A...), void** arguments, std::index_sequence<I...>) {
    kernel(*static_cast<A*>(arguments[I])...);
}

template <class... A>
void unpack(void (*kernel)(A...), void** arguments) {
    unpack(kernel, arguments, std::index_sequence_for<A...>());
}

template <auto KERNEL>
void call(void** arguments) {
    unpack(KERNEL, arguments);
}

}  // namespace on_cpu

inline void __syncthreads() { on_cpu::meet(on_cpu::machine.block, on_cpu::SYNC_BLOCK); }
inline void __syncwarp() { on_cpu::meet(on_cpu::machine.warps[on_cpu::machine.current / 32], on_cpu::SYNC_WARP); }

template <class T>
T __shfl_sync(unsigned, T value, int from) {
    return on_cpu::shuffle(value, from & 31);
}
template <class T>
T __shfl_up_sync(unsigned, T value, int step) {
    const int lane = on_cpu::machine.current % 32;
    return on_cpu::shuffle(value, lane < step ? lane : lane - step);
}
template <class T>
T __shfl_xor_sync(unsigned, T value, int mask) {
    return on_cpu::shuffle(value, on_cpu::machine.current % 32 ^ mask);
}
inline unsigned __ballot_sync(unsigned, bool vote) {
    const uint32_t* votes = on_cpu::exchange(vote, on_cpu::BALLOT);
    unsigned all = 0;
    for (int lane = 0; lane < 32; ++lane) all |= votes[lane] << lane;
    return all;
}
inline int __popc(unsigned x) { return __builtin_popcount(x); }
