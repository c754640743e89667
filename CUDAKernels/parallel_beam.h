/* A parallel beam through slices of voxels, seen along the axis of rotation; projection/native_slice_sums.py fills it
 * in. */
#ifndef NABGS_PARALLEL_BEAM_H
#define NABGS_PARALLEL_BEAM_H

#include <stdint.h>

typedef struct {
    int32_t shape[2];  /* rows and columns of voxels in a slice */
    int32_t pixels;    /* of a row of the detector */
    int32_t views;
    double spacing[2]; /* of rows and of columns of voxels, mm */
    double pitch;      /* of pixels, mm */
} NabgsParallelBeam;

#endif
