"""Constants of the kernels: generated from their headers by CUDAKernels/generate_constants.py, not edited."""

# gaussian.h
RADIUS = 4.0  # standard deviations
FLOOR = 3.3546262790251185e-4  # exp(−RADIUS² / 2)
SQRT_2PI = 2.5066282746310002
SHORTEST_QUAT = 1e-12
NEAREST = 0.05  # of the source's distance: what lies closer to it is not seen
UNIT = 0.84932180028801907  # √(log₂(e) / 2)
LARGEST_COORDINATE = 1e6  # of means and quaternions
LARGEST_LOG_SCALE = 20.0  # either sign
LARGEST_DENSITY = 1e30

# ssim.h
SSIM_HALF = 5  # pixels that the Gaussian window reaches from its middle: 11 x 11 pixels
SSIM_SIGMA = 1.5  # of the window, pixels
SSIM_K1 = 0.01  # (K1 · range)² and (K2 · range)² keep quotients of small numbers stable
SSIM_K2 = 0.03

# nabgs.h
INTERFACE = 3  # grows with every change that a caller has to know of
DONE = 0
UNSOUND_INPUT = 1  # not finite, or beyond the limits in gaussian.h; outputs are then undefined
OUT_OF_MEMORY = 2
NOT_BUILT = 3  # there is no such kernel for this processor, or by this compiler
CHANNELS = 48  # of the images that are convolved
TILE = 4  # pixels along each side that come from the same (4 + 2)^2 products

# cuda/launch_sizes.h
LANES = 32  # of a warp
GAUSSIAN_THREADS = 128  # of a block in which every thread has a Gaussian
FORWARD_WARPS = 4  # of a block that rasterizes or voxelizes tiles
SUM_WARPS = 8  # of a block that sums moments
SQUARE = 16  # side of a block's part of an image in the view loss
BIN_BITS = 3  # bins of level 0 have sides of 2^BIN_BITS samples
LEVELS = 14  # of bins: enough for arrays of 2^16 samples along an axis
DETECTOR_TILE = 8  # side of the square of pixels that a warp rasterizes
GRID_TILE_ACROSS = 4  # sides of the box of voxels that a warp voxelizes, along z and y
GRID_TILE_ALONG = 8  # and along x
DETECTOR_SUM_THREADS = 8  # that sum the moments of a Gaussian of level 0
GRID_SUM_THREADS = 32
FRAME_WORDS = 8  # 64-bit words that hold a View or a Grid
DETECTOR_PATCH_FLOATS = 8  # 32-bit words of a Patch<2>
GRID_PATCH_FLOATS = 12  # and of a Patch<3>
DETECTOR_MOMENTS = 6  # sums that backward takes of a Gaussian: Moments<float, 2>
GRID_MOMENTS = 10  # and Moments<float, 3>
