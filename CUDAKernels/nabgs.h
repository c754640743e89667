/* The C interface of the CPU kernels: plain pointers, so that one library serves every Python and every torch.
 *
 * A field is four arrays in C order: means (n, 3) as (x, y, z); log-scales (n, 3); quaternions (n, 4) as (w, x, y, z),
 * any length; signed densities (n). `precision` says what all arrays of a call hold: 0 float, 1 double.
 * Results do not depend on the number of threads. Calls from several threads wait for each other.
 */
#ifndef NABGS_H
#define NABGS_H

#include <stdint.h>

#include "parallel_beam.h"

#if defined(_WIN32)
#define NABGS_EXPORT __declspec(dllexport)
#else
#define NABGS_EXPORT __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define NABGS_INTERFACE 3 /* grows with every change that a caller has to know of */

enum {
    NABGS_DONE = 0,
    NABGS_UNSOUND_INPUT = 1, /* not finite, or beyond the limits in gaussian.h; outputs are then undefined */
    NABGS_OUT_OF_MEMORY = 2,
    NABGS_NOT_BUILT = 3 /* there is no such kernel for this processor, or by this compiler */
};

NABGS_EXPORT int nabgs_interface(void);

/* Which of its builds runs on this processor: "avx512", "avx2" or "baseline". */
NABGS_EXPORT const char* nabgs_instruction_set(void);

/* image (v, u) of a View: line integrals of the field, density times world length. */
NABGS_EXPORT int nabgs_rasterize(const void* view, int precision, int64_t count, const void* const field[4],
                                 void* image, int threads);
NABGS_EXPORT int nabgs_rasterize_backward(const void* view, int precision, int64_t count, const void* const field[4],
                                          const void* image_gradient, void* const gradients[4], int threads);

/* volume (z, y, x) of a Grid: values of the field at voxel centres. */
NABGS_EXPORT int nabgs_voxelize(const void* grid, int precision, int64_t count, const void* const field[4],
                                void* volume, int threads);
NABGS_EXPORT int nabgs_voxelize_backward(const void* grid, int precision, int64_t count, const void* const field[4],
                                         const void* volume_gradient, void* const gradients[4], int threads);

/* loss = absolute * mean |x - y| + dissimilarity * (1 - mean SSIM(x, y)) of two images (v, u) with values of that
 * range, and its gradient to x. */
NABGS_EXPORT int nabgs_view_loss(int precision, const int32_t shape[2], const void* x, const void* y, double range,
                                 double absolute, double dissimilarity, double* loss, void* gradient, int threads);

/* columns (views, u, slices) of voxels (y, x, slices): line integrals along a parallel beam, value times mm, at angles
 * in radians; and the transpose, which is added to what the voxels hold. */
NABGS_EXPORT int nabgs_project(const NabgsParallelBeam* beam, const double* angles, int precision, int64_t slices,
                               const void* voxels, void* columns, int threads);
NABGS_EXPORT int nabgs_backproject(const NabgsParallelBeam* beam, const double* angles, int precision, int64_t slices,
                                   const void* columns, void* voxels, int threads);

/* Images (images, rows, columns, NABGS_CHANNELS) convolved with 3 x 3 pixels and zeros around them:
 * to = gain * sum + offset, not below 0 if it is cut, plus what is added. The weights (36, channels in, channels out) are
 * transformed: G w G^T of minimal filtering F(4 x 4, 3 x 3) for the points 0, 1, -1, 2, -2. gain and offset are
 * (images, channels); added is as the images or null, and may be `to` itself, which may not be `from`. */
#define NABGS_CHANNELS 48 /* of the images that are convolved */
#define NABGS_TILE 4 /* pixels along each side that come from the same (4 + 2)^2 products */
NABGS_EXPORT int nabgs_convolve(const int64_t shape[3], const float* weights, const float* gain, const float* offset,
                                int cut, const float* added, const float* from, float* to, int threads);

#ifdef __cplusplus
}
#endif
#endif
