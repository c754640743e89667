// 3 × 3 convolutions of images with CHANNELS channels, as the prior's network is made of them, by minimal filtering
// (Winograd 1980; Lavin and Gray, CVPR 2016): a tile of 4 × 4 pixels comes from 36 products of its transform with that
// of the weights, in place of 144. Tiles are taken GROUP at a time, so that the products are of matrices and all that is
// held stays in a core's own cache. Values differ from those of a direct sum by some millionths of the largest.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "../nabgs.h"
#include "launch.h"
#include "pack.h"

namespace nabgs {
namespace NABGS_ISA {

constexpr int64_t CHANNELS = NABGS_CHANNELS;
constexpr int TILE = NABGS_TILE, PATCH = TILE + 2, PRODUCTS = PATCH * PATCH;
constexpr int GROUP = 32;  // tiles
constexpr int64_t APART = GROUP * CHANNELS + 16;  // of products; by a power of two they would share a cache's places
#if defined(__AVX512F__)
constexpr int PACKED = 16, TILES_AT_ONCE = 8;
#else
constexpr int PACKED = 8, TILES_AT_ONCE = 4;
#endif
constexpr int PACKS_AT_ONCE = 3;  // with as many tiles they fill the registers
static_assert(CHANNELS % (PACKS_AT_ONCE * PACKED) == 0 && GROUP % TILES_AT_ONCE == 0, "nothing is left over");

typedef Pack<float, PACKED> Channels;

inline Channels times(float factor, const Channels& x) { return Channels(factor) * x; }

// Bᵀ d: what six pixels in a row become.
inline void transform(const Channels d[PATCH], Channels to[PATCH]) {
    const Channels even = d[4] - times(4, d[2]), odd = d[3] - times(4, d[1]);
    const Channels wide = d[4] - d[2], skew = times(2, d[3] - d[1]);
    to[0] = times(4, d[0]) - times(5, d[2]) + d[4];
    to[1] = even + odd;
    to[2] = even - odd;
    to[3] = wide + skew;
    to[4] = wide - skew;
    to[5] = times(4, d[1]) - times(5, d[3]) + d[5];
}

// Aᵀ m: what four pixels in a row come to, of six products.
inline void add_up(const Channels m[PATCH], Channels to[TILE]) {
    const Channels even = m[1] + m[2], odd = m[1] - m[2], wide = m[3] + m[4], skew = m[3] - m[4];
    to[0] = m[0] + even + wide;
    to[1] = odd + times(2, skew);
    to[2] = even + times(4, wide);
    to[3] = odd + times(8, skew) + m[5];
}

// tiles (TILES_AT_ONCE, channels) := tiles · weights (channels in, channels out).
inline void multiply(float* tiles, const float* weights) {
    float from[TILES_AT_ONCE * CHANNELS];
    std::copy(tiles, tiles + TILES_AT_ONCE * CHANNELS, from);
    for (int64_t first = 0; first < CHANNELS; first += PACKS_AT_ONCE * PACKED) {
        Channels sum[TILES_AT_ONCE][PACKS_AT_ONCE];
#pragma GCC unroll 8
        for (int t = 0; t < TILES_AT_ONCE; ++t)
#pragma GCC unroll 3
            for (int k = 0; k < PACKS_AT_ONCE; ++k) sum[t][k] = Channels(0.0f);
        for (int64_t c = 0; c < CHANNELS; ++c) {
            Channels w[PACKS_AT_ONCE];
#pragma GCC unroll 3
            for (int k = 0; k < PACKS_AT_ONCE; ++k) w[k] = Channels::load(weights + c * CHANNELS + first + k * PACKED);
#pragma GCC unroll 8
            for (int t = 0; t < TILES_AT_ONCE; ++t) {
                const Channels value(from[t * CHANNELS + c]);
#pragma GCC unroll 3
                for (int k = 0; k < PACKS_AT_ONCE; ++k) sum[t][k] = sum[t][k] + value * w[k];
            }
        }
#pragma GCC unroll 8
        for (int t = 0; t < TILES_AT_ONCE; ++t)
#pragma GCC unroll 3
            for (int k = 0; k < PACKS_AT_ONCE; ++k) sum[t][k].store(tiles + t * CHANNELS + first + k * PACKED);
    }
}

// Tiles of images (images, rows, columns, channels), row by row, image by image.
struct Tiling {
    int64_t rows, columns, across, of_image, count;

    explicit Tiling(const int64_t* shape)
        : rows(shape[1]), columns(shape[2]), across((columns + TILE - 1) / TILE),
          of_image((rows + TILE - 1) / TILE * across), count(shape[0] * of_image) {}

    int64_t image(int64_t tile) const { return tile / of_image; }
    int64_t top(int64_t tile) const { return tile % of_image / across * TILE; }
    int64_t left(int64_t tile) const { return tile % across * TILE; }
    int64_t at(int64_t image, int64_t y, int64_t x) const { return ((image * rows + y) * columns + x) * CHANNELS; }

    // Bᵀ d B of a tile and what lies around it; `held` is that tile's channels of the first product.
    void take(const float* from, int64_t tile, float* held) const {
        static const float beyond[CHANNELS] = {};
        const float* pixel[PATCH][PATCH];
        for (int j = 0; j < PATCH; ++j)
            for (int i = 0; i < PATCH; ++i) {
                const int64_t y = top(tile) - 1 + j, x = left(tile) - 1 + i;
                const bool inside = y >= 0 && y < rows && x >= 0 && x < columns;
                pixel[j][i] = inside ? from + at(image(tile), y, x) : beyond;
            }
        for (int64_t c = 0; c < CHANNELS; c += PACKED) {
            Channels half[PATCH][PATCH];
            for (int i = 0; i < PATCH; ++i) {
                Channels column[PATCH], made[PATCH];
#pragma GCC unroll 6
                for (int j = 0; j < PATCH; ++j) column[j] = Channels::load(pixel[j][i] + c);
                transform(column, made);
#pragma GCC unroll 6
                for (int j = 0; j < PATCH; ++j) half[j][i] = made[j];
            }
            for (int j = 0; j < PATCH; ++j) {
                Channels made[PATCH];
                transform(half[j], made);
#pragma GCC unroll 6
                for (int i = 0; i < PATCH; ++i) made[i].store(held + (j * PATCH + i) * APART + c);
            }
        }
    }

    // Aᵀ m A of a tile's products, finished, to its pixels.
    void give(const float* held, const Finish& finish, int64_t tile, float* to) const {
        const int64_t own = image(tile), y = top(tile), x = left(tile);
        const int64_t high = std::min<int64_t>(TILE, rows - y), wide = std::min<int64_t>(TILE, columns - x);
        for (int64_t c = 0; c < CHANNELS; c += PACKED) {
            const Channels gain = Channels::load(finish.gain + own * CHANNELS + c);
            const Channels offset = Channels::load(finish.offset + own * CHANNELS + c);
            Channels half[TILE][PATCH];
            for (int i = 0; i < PATCH; ++i) {
                Channels column[PATCH], made[TILE];
#pragma GCC unroll 6
                for (int j = 0; j < PATCH; ++j) column[j] = Channels::load(held + (j * PATCH + i) * APART + c);
                add_up(column, made);
#pragma GCC unroll 4
                for (int j = 0; j < TILE; ++j) half[j][i] = made[j];
            }
            for (int64_t j = 0; j < high; ++j) {
                Channels made[TILE];
                add_up(half[j], made);
                const int64_t first = at(own, y + j, x) + c;
                for (int64_t i = 0; i < wide; ++i) {
                    Channels value = made[i] * gain + offset;
                    if (finish.cut) value = larger(value, Channels(0.0f));
                    if (finish.added) value = value + Channels::load(finish.added + first + i * CHANNELS);
                    value.store(to + first + i * CHANNELS);
                }
            }
        }
    }
};

inline void convolve(Workers& workers, int threads, const int64_t* shape, const float* weights, const Finish& finish,
                     const float* from, float* to) {
    const Tiling tiling(shape);
    workers.run(threads, (tiling.count + GROUP - 1) / GROUP, [&](int64_t group) {
        static thread_local std::vector<float> space(PRODUCTS * APART);
        float* const held = space.data();  // (PRODUCTS, GROUP, channels), APART from product to product
        const int64_t first = group * GROUP, count = std::min<int64_t>(GROUP, tiling.count - first);
        for (int64_t t = 0; t < count; ++t) tiling.take(from, first + t, held + t * CHANNELS);
        for (int product = 0; product < PRODUCTS; ++product)  // tiles to spare hold what an earlier group left
            for (int64_t t = 0; t < count; t += TILES_AT_ONCE)
                multiply(held + product * APART + t * CHANNELS, weights + product * CHANNELS * CHANNELS);
        for (int64_t t = 0; t < count; ++t) tiling.give(held + t * CHANNELS, finish, first + t, to);
    });
}

}  // namespace NABGS_ISA
}  // namespace nabgs
