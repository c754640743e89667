// The projection and the voxelization of one signed Gaussian, and the gradients of both.
//
// A field is rasterized on a detector and voxelized on a grid. All mathematics of one Gaussian is in this header; the
// CPU and the CUDA launchers only say which thread does what.
// T is float, double, or a pack of either that handles several Gaussians at once; so there are no branches on values.
//
//   Σ = R diag(s²) Rᵀ, s = exp(log_scale), R the rotation of quat / |quat|, quat = (w, x, y, z)
//
// Both outputs are arrays of D axes, slowest first: (v, u) on a detector, (z, y, x) on a grid. With M (D x 3) the map
// from the Gaussian's own unit sphere to samples along those axes, the covariance in samples is Σ̂ = M Mᵀ = L Lᵀ with
// L lower triangular, M = L Q and Q's rows orthonormal. A sample at distance d from the centre has
//
//   t = L⁻¹ d,   value = height · max(0, exp(−½ tᵀt) − FLOOR)
//
// so a Gaussian ends RADIUS standard deviations from its centre and reaches zero there without a step. L and Q come
// from cross products that cannot cancel, never from Σ̂: needles and discs keep their digits in float32.
#pragma once

#if defined(__CUDACC__)
#define NABGS_FUNCTION __host__ __device__ __forceinline__
#elif defined(_MSC_VER)
#define NABGS_FUNCTION __forceinline
#else
#define NABGS_FUNCTION inline __attribute__((always_inline))
#endif

namespace nabgs {

constexpr double RADIUS = 4.0;                      // standard deviations
constexpr double FLOOR = 3.3546262790251185e-4;     // exp(−RADIUS² / 2)
constexpr double SQRT_2PI = 2.5066282746310002;
constexpr double SHORTEST_QUAT = 1e-12;
constexpr double NEAREST = 0.05;                    // of the source's distance: what lies closer to it is not seen

// With distances t in units of √(2 ln 2), exp(−t²/2) is 2^(−t²): one product less for every sample.
constexpr double UNIT = 0.84932180028801907;        // √(log₂(e) / 2)
constexpr double REACH = RADIUS * UNIT;             // RADIUS in that unit

// What the caller may pass: beyond these an input is a mistake, and the kernels say so.
constexpr double LARGEST_COORDINATE = 1e6;          // of means and quaternions
constexpr double LARGEST_LOG_SCALE = 20.0;          // either sign
constexpr double LARGEST_DENSITY = 1e30;

// The rays of one view. World axes: e_u = (cos, sin, 0), e_v = (0, 0, 1), central ray d = (−sin, cos, 0).
struct View {
    double cos_angle, sin_angle;
    double pitch[2];            // distance of pixels along (v, u)
    double source_distance;     // source to rotation axis; 0 for a parallel beam
    double detector_distance;   // source to detector
    int shape[2];               // pixels along (v, u)
};

// A box of voxels along the world's axes.
struct Grid {
    double pitch[3];            // distance of voxels along (z, y, x)
    double first[3];            // centre of voxel [0, 0, 0] as (z, y, x)
    int shape[3];               // voxels along (z, y, x)
};

// The parameters of a Gaussian, or the loss's gradient to them.
template <class T>
struct Gaussian {
    T mean[3];       // (x, y, z)
    T log_scale[3];
    T quat[4];       // (w, x, y, z), any length
    T density;       // signed
};

// Sums over the samples of one Gaussian, of the loss's gradient G to each: what backward needs of the array.
template <class T, int D>
struct Moments {
    T value;                        // Σ G (e − FLOOR), e = exp(−½ tᵀt)
    T first[D];                     // Σ G e tᵢ
    T second[D * (D + 1) / 2];      // Σ G e tᵢ tⱼ, lower triangle row by row
};

// The Gaussian's footprint on an array of D axes.
template <class T, int D>
struct Footprint {
    T factor[D * (D + 1) / 2];      // L, lower triangle row by row, samples
    T basis[D][3];                  // Q
    T height;
};

template <class T>
NABGS_FUNCTION T dot(const T* a, const T* b) {
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

template <class T>
NABGS_FUNCTION void cross(const T* a, const T* b, T* out) {
    out[0] = a[1] * b[2] - a[2] * b[1];
    out[1] = a[2] * b[0] - a[0] * b[2];
    out[2] = a[0] * b[1] - a[1] * b[0];
}

// R of a quaternion of any length, its unit quaternion and 1 / length. A zero quaternion is no rotation.
template <class T>
NABGS_FUNCTION void rotation(const T* quat, T (*r)[3], T* unit, T& inverse_length) {
    const T length = square_root(quat[0] * quat[0] + quat[1] * quat[1] + quat[2] * quat[2] + quat[3] * quat[3]);
    inverse_length = T(1) / larger(length, T(SHORTEST_QUAT));
    for (int k = 0; k < 4; ++k) unit[k] = quat[k] * inverse_length;
    const T w = unit[0], x = unit[1], y = unit[2], z = unit[3], two = T(2);
    r[0][0] = T(1) - two * (y * y + z * z);
    r[0][1] = two * (x * y - w * z);
    r[0][2] = two * (x * z + w * y);
    r[1][0] = two * (x * y + w * z);
    r[1][1] = T(1) - two * (x * x + z * z);
    r[1][2] = two * (y * z - w * x);
    r[2][0] = two * (x * z - w * y);
    r[2][1] = two * (y * z + w * x);
    r[2][2] = T(1) - two * (x * x + y * y);
}

// Gradient to the quaternion from that to R.
template <class T>
NABGS_FUNCTION void rotation_backward(const T* unit, T inverse_length, const T (*g)[3], T* quat_grad) {
    const T w = unit[0], x = unit[1], y = unit[2], z = unit[3], two = T(2);
    T grad[4];
    grad[0] = two * (x * (g[2][1] - g[1][2]) + y * (g[0][2] - g[2][0]) + z * (g[1][0] - g[0][1]));
    grad[1] = two * (y * (g[0][1] + g[1][0]) + z * (g[0][2] + g[2][0]) + w * (g[2][1] - g[1][2])
                     - two * x * (g[1][1] + g[2][2]));
    grad[2] = two * (x * (g[0][1] + g[1][0]) + z * (g[1][2] + g[2][1]) + w * (g[0][2] - g[2][0])
                     - two * y * (g[0][0] + g[2][2]));
    grad[3] = two * (x * (g[0][2] + g[2][0]) + y * (g[1][2] + g[2][1]) + w * (g[1][0] - g[0][1])
                     - two * z * (g[0][0] + g[1][1]));
    const T along = w * grad[0] + x * grad[1] + y * grad[2] + z * grad[3];
    for (int k = 0; k < 4; ++k) quat_grad[k] = (grad[k] - along * unit[k]) * inverse_length;
}

// The rotation and scales of one Gaussian, shared by both outputs.
template <class T>
struct Shape {
    T r[3][3], unit[4], inverse_length, scale[3], inverse_scale[3], volume;

    NABGS_FUNCTION explicit Shape(const Gaussian<T>& g) {
        rotation(g.quat, r, unit, inverse_length);
        for (int k = 0; k < 3; ++k) scale[k] = exponential(g.log_scale[k]);
        for (int k = 0; k < 3; ++k) inverse_scale[k] = T(1) / scale[k];
        volume = scale[0] * scale[1] * scale[2];
    }

    // (row of a map from the world) R, the row in the Gaussian's own axes.
    NABGS_FUNCTION void rotated(const T* row, T* out) const {
        for (int k = 0; k < 3; ++k) out[k] = row[0] * r[0][k] + row[1] * r[1][k] + row[2] * r[2][k];
    }
};

// Centre on the detector in pixels along (v, u); false where the source lies before it. In double, always: a float
// knows a place on a detector of 512 pixels to 3e-5, a narrow Gaussian feels that.
template <class M>
NABGS_FUNCTION bool centre(const View& view, const M* mean, double* out) {
    const double x = mean[0], y = mean[1], z = mean[2];
    const double u = view.cos_angle * x + view.sin_angle * y;
    const bool cone = view.source_distance > 0;
    const double depth = cone ? view.cos_angle * y - view.sin_angle * x + view.source_distance : 1.0;
    const double zoom = cone ? view.detector_distance / depth : 1.0;
    out[0] = zoom * z / view.pitch[0] + 0.5 * (view.shape[0] - 1);
    out[1] = zoom * u / view.pitch[1] + 0.5 * (view.shape[1] - 1);
    return !cone || depth > NEAREST * view.source_distance;
}

// Centre on the grid in voxels along (z, y, x).
template <class M>
NABGS_FUNCTION bool centre(const Grid& grid, const M* mean, double* out) {
    for (int axis = 0; axis < 3; ++axis) out[axis] = (double(mean[2 - axis]) - grid.first[axis]) / grid.pitch[axis];
    return true;
}

// A Gaussian on the detector. Its line integral along the direction n of a ray is density √(2π) |n| / |S⁻¹ Rᵀ n|:
// exact for a parallel beam; for a cone beam rays are taken as parallel to the one through the centre and the detector
// as the plane map's first-order expansion there (Σ̃ = J Σ Jᵀ).
template <class T>
struct Projection {
    Shape<T> shape;
    bool cone;
    T cos_angle, sin_angle, inverse_pitch[2];
    T slope_u, slope_v, depth, zoom;      // ray (slope_u, slope_v, 1) in (e_u, e_v, d); zoom = detector distance / depth
    T normal[3], inverse_normal;          // S⁻¹ Rᵀ n and 1 / its length
    T normal_length;                      // |n|
    T rows[2][3], map[2][3];              // J in the world (v, u); M
    Footprint<T, 2> footprint;

    NABGS_FUNCTION Projection(const Gaussian<T>& g, const View& view) : shape(g), cone(view.source_distance > 0) {
        cos_angle = T(view.cos_angle);
        sin_angle = T(view.sin_angle);
        for (int axis = 0; axis < 2; ++axis) inverse_pitch[axis] = T(1 / view.pitch[axis]);
        slope_u = slope_v = T(0);
        depth = zoom = normal_length = T(1);
        if (cone) {
            depth = cos_angle * g.mean[1] - sin_angle * g.mean[0] + T(view.source_distance);
            slope_u = (cos_angle * g.mean[0] + sin_angle * g.mean[1]) / depth;
            slope_v = g.mean[2] / depth;
            zoom = T(view.detector_distance) / depth;
            normal_length = square_root(slope_u * slope_u + slope_v * slope_v + T(1));
        }
        const T u = zoom * inverse_pitch[1], v = zoom * inverse_pitch[0];
        const T n[3] = {slope_u * cos_angle - sin_angle, slope_u * sin_angle + cos_angle, slope_v};
        rows[0][0] = slope_v * sin_angle * v;
        rows[0][1] = T(0) - slope_v * cos_angle * v;
        rows[0][2] = v;
        rows[1][0] = (cos_angle + slope_u * sin_angle) * u;
        rows[1][1] = (sin_angle - slope_u * cos_angle) * u;
        rows[1][2] = T(0);

        shape.rotated(n, normal);
        for (int k = 0; k < 3; ++k) normal[k] = normal[k] * shape.inverse_scale[k];
        inverse_normal = T(1) / square_root(dot(normal, normal));
        footprint.height = g.density * T(SQRT_2PI) * normal_length * inverse_normal;
        for (int axis = 0; axis < 2; ++axis) {
            shape.rotated(rows[axis], map[axis]);
            for (int k = 0; k < 3; ++k) map[axis][k] = map[axis][k] * shape.scale[k];
        }

        T* l = footprint.factor;
        T(*q)[3] = footprint.basis;
        l[0] = square_root(dot(map[0], map[0]));
        const T area = u * v * shape.volume / inverse_normal;     // |map_v x map_u|
        for (int k = 0; k < 3; ++k) q[0][k] = map[0][k] / l[0];
        T up[3];
        for (int k = 0; k < 3; ++k) up[k] = normal[k] * inverse_normal;
        cross(up, q[0], q[1]);
        l[1] = dot(map[1], q[0]);
        l[2] = area / l[0];
    }

    NABGS_FUNCTION void backward(const Gaussian<T>&, const Moments<T, 2>& moments, Gaussian<T>& grad) const {
        T centre_grad[2], map_grad[2][3];
        footprint_backward(moments, centre_grad, map_grad);
        T r_grad[3][3], n_grad[3], slope_grad_u = T(0), slope_grad_v = T(0), zoom_grad = T(0);
        const T n[3] = {slope_u * cos_angle - sin_angle, slope_u * sin_angle + cos_angle, slope_v};
        const T through = moments.value * footprint.height * inverse_normal * inverse_normal;
        T rotated_n_grad[3];
        for (int k = 0; k < 3; ++k) {
            rotated_n_grad[k] = T(0) - through * normal[k] * shape.inverse_scale[k];
            grad.log_scale[k] =
                map_grad[0][k] * map[0][k] + map_grad[1][k] * map[1][k] + through * normal[k] * normal[k];
        }
        for (int i = 0; i < 3; ++i)
            for (int k = 0; k < 3; ++k)
                r_grad[i][k] = (rows[0][i] * map_grad[0][k] + rows[1][i] * map_grad[1][k]) * shape.scale[k]
                               + n[i] * rotated_n_grad[k];
        rotation_backward(shape.unit, shape.inverse_length, r_grad, grad.quat);
        grad.density = moments.value * T(SQRT_2PI) * normal_length * inverse_normal;

        // Along (e_u, e_v, d). A place on the detector is zoom · (e_u, e_v) part / pitch.
        T along_u = centre_grad[1] * inverse_pitch[1] * zoom;
        T along_v = centre_grad[0] * inverse_pitch[0] * zoom;
        T along_d = T(0);
        if (cone) {
            T row_grad[2][3];
            for (int axis = 0; axis < 2; ++axis)
                for (int i = 0; i < 3; ++i)
                    row_grad[axis][i] = shape.r[i][0] * map_grad[axis][0] * shape.scale[0]
                                        + shape.r[i][1] * map_grad[axis][1] * shape.scale[1]
                                        + shape.r[i][2] * map_grad[axis][2] * shape.scale[2];
            for (int i = 0; i < 3; ++i)
                n_grad[i] = shape.r[i][0] * rotated_n_grad[0] + shape.r[i][1] * rotated_n_grad[1]
                            + shape.r[i][2] * rotated_n_grad[2];
            // J_v = zoom (e_v − slope_v d) / pitch, J_u = zoom (e_u − slope_u d) / pitch; height ∝ |n|.
            const T u = zoom * inverse_pitch[1], v = zoom * inverse_pitch[0];
            const T v_along_d = cos_angle * row_grad[0][1] - sin_angle * row_grad[0][0];
            const T u_along_d = cos_angle * row_grad[1][1] - sin_angle * row_grad[1][0];
            const T u_along_u = cos_angle * row_grad[1][0] + sin_angle * row_grad[1][1];
            const T height = moments.value * footprint.height / (normal_length * normal_length);
            slope_grad_v = n_grad[2] + height * slope_v - v * v_along_d;
            slope_grad_u = cos_angle * n_grad[0] + sin_angle * n_grad[1] + height * slope_u - u * u_along_d;
            zoom_grad = (row_grad[0][2] - slope_v * v_along_d) * inverse_pitch[0]
                        + (u_along_u - slope_u * u_along_d) * inverse_pitch[1];
            along_d = T(0) - (along_u * slope_u + along_v * slope_v)
                      - (slope_grad_u * slope_u + slope_grad_v * slope_v + zoom_grad * zoom) / depth;
            along_u = along_u + slope_grad_u / depth;
            along_v = along_v + slope_grad_v / depth;
        }
        grad.mean[0] = cos_angle * along_u - sin_angle * along_d;
        grad.mean[1] = sin_angle * along_u + cos_angle * along_d;
        grad.mean[2] = along_v;
    }

    // Gradients to the centre, h L⁻ᵀ a, and to M, h L⁻ᵀ A Q, of the moments a and A.
    NABGS_FUNCTION void footprint_backward(const Moments<T, 2>& m, T* centre_grad, T (*map_grad)[3]) const {
        const T* l = footprint.factor;
        const T(*q)[3] = footprint.basis;
        const T h0 = footprint.height / l[0], h1 = footprint.height / l[2], lean = l[1] / l[0];
        centre_grad[1] = h1 * m.first[1];
        centre_grad[0] = h0 * m.first[0] - lean * centre_grad[1];
        for (int k = 0; k < 3; ++k) {
            map_grad[1][k] = h1 * (m.second[1] * q[0][k] + m.second[2] * q[1][k]);
            map_grad[0][k] = h0 * (m.second[0] * q[0][k] + m.second[1] * q[1][k]) - lean * map_grad[1][k];
        }
    }
};

// A Gaussian on a grid.
template <class T>
struct Voxelization {
    Shape<T> shape;
    T inverse_pitch[3];
    T map[3][3];                // M
    Footprint<T, 3> footprint;

    NABGS_FUNCTION Voxelization(const Gaussian<T>& g, const Grid& grid) : shape(g) {
        for (int axis = 0; axis < 3; ++axis) {
            inverse_pitch[axis] = T(1 / grid.pitch[axis]);
            for (int k = 0; k < 3; ++k) map[axis][k] = shape.r[2 - axis][k] * shape.scale[k] * inverse_pitch[axis];
        }
        T normal[3];            // S⁻¹ Rᵀ e_x, at right angles to the rows of z and y
        for (int k = 0; k < 3; ++k) normal[k] = shape.r[0][k] * shape.inverse_scale[k];
        const T length = square_root(dot(normal, normal));
        T* l = footprint.factor;
        T(*q)[3] = footprint.basis;
        l[0] = square_root(dot(map[0], map[0]));
        for (int k = 0; k < 3; ++k) q[0][k] = map[0][k] / l[0];
        for (int k = 0; k < 3; ++k) q[2][k] = normal[k] / length;
        cross(q[0], q[2], q[1]);
        l[1] = dot(map[1], q[0]);
        l[2] = inverse_pitch[0] * inverse_pitch[1] * shape.volume * length / l[0];
        l[3] = dot(map[2], q[0]);
        l[4] = dot(map[2], q[1]);
        l[5] = inverse_pitch[2] / length;
        footprint.height = g.density;
    }

    NABGS_FUNCTION void backward(const Gaussian<T>& g, const Moments<T, 3>& m, Gaussian<T>& grad) const {
        const T* l = footprint.factor;
        const T(*q)[3] = footprint.basis;
        const T h0 = g.density / l[0], h1 = g.density / l[2], h2 = g.density / l[5];
        const T a10 = l[1] / l[0], a20 = l[3] / l[0], a21 = l[4] / l[2];
        T along[3];
        along[2] = h2 * m.first[2];
        along[1] = h1 * m.first[1] - a21 * along[2];
        along[0] = h0 * m.first[0] - a10 * along[1] - a20 * along[2];
        for (int axis = 0; axis < 3; ++axis) grad.mean[2 - axis] = along[axis] * inverse_pitch[axis];
        T r_grad[3][3];
        for (int k = 0; k < 3; ++k) {
            T map_grad[3];
            map_grad[2] = h2 * (m.second[3] * q[0][k] + m.second[4] * q[1][k] + m.second[5] * q[2][k]);
            map_grad[1] = h1 * (m.second[1] * q[0][k] + m.second[2] * q[1][k] + m.second[4] * q[2][k])
                          - a21 * map_grad[2];
            map_grad[0] = h0 * (m.second[0] * q[0][k] + m.second[1] * q[1][k] + m.second[3] * q[2][k])
                          - a10 * map_grad[1] - a20 * map_grad[2];
            grad.log_scale[k] = T(0);
            for (int axis = 0; axis < 3; ++axis) {
                grad.log_scale[k] = grad.log_scale[k] + map_grad[axis] * map[axis][k];
                r_grad[2 - axis][k] = map_grad[axis] * shape.scale[k] * inverse_pitch[axis];
            }
        }
        rotation_backward(shape.unit, shape.inverse_length, r_grad, grad.quat);
        grad.density = m.value;
    }
};

}  // namespace nabgs
