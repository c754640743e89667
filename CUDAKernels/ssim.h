// The constants of SSIM (Wang et al. 2004) that the CPU, CUDA and reference implementations of the view loss share.
#pragma once

namespace nabgs {

constexpr int SSIM_HALF = 5;            // pixels that the Gaussian window reaches from its middle: 11 x 11 pixels
constexpr double SSIM_SIGMA = 1.5;      // of the window, pixels
constexpr double SSIM_K1 = 0.01;        // (K1 · range)² and (K2 · range)² keep quotients of small numbers stable
constexpr double SSIM_K2 = 0.03;

}  // namespace nabgs
