// The sizes that who launches the kernels has to know as well: blocks, tiles, bins and buffers.
#pragma once

namespace nabgs {

constexpr int LANES = 32;                   // of a warp
constexpr int GAUSSIAN_THREADS = 128;       // of a block in which every thread has a Gaussian
constexpr int FORWARD_WARPS = 4;            // of a block that rasterizes or voxelizes tiles
constexpr int SUM_WARPS = 8;                // of a block that sums moments
constexpr int SQUARE = 16;                  // side of a block's part of an image in the view loss

constexpr int BIN_BITS = 3;                 // bins of level 0 have sides of 2^BIN_BITS samples
constexpr int LEVELS = 14;                  // of bins: enough for arrays of 2^16 samples along an axis

constexpr int DETECTOR_TILE = 8;            // side of the square of pixels that a warp rasterizes
constexpr int GRID_TILE_ACROSS = 4;         // sides of the box of voxels that a warp voxelizes, along z and y
constexpr int GRID_TILE_ALONG = 8;          // and along x
constexpr int DETECTOR_SUM_THREADS = 8;     // that sum the moments of a Gaussian of level 0
constexpr int GRID_SUM_THREADS = 32;

constexpr int FRAME_WORDS = 8;              // 64-bit words that hold a View or a Grid
constexpr int DETECTOR_PATCH_FLOATS = 8;    // 32-bit words of a Patch<2>
constexpr int GRID_PATCH_FLOATS = 12;       // and of a Patch<3>
constexpr int DETECTOR_MOMENTS = 6;         // sums that backward takes of a Gaussian: Moments<float, 2>
constexpr int GRID_MOMENTS = 10;            // and Moments<float, 3>

}  // namespace nabgs
