// Renders random scenes, projects random slices and convolves random images through the C interface, for a build with sanitizers: any odd access or overflow ends it.
// Compares values with a plain double evaluation as well, so that the sanitized build is known to have rendered.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <random>
#include <vector>

#include "nabgs.h"

struct View { double cos_angle, sin_angle, pitch[2], source_distance, detector_distance; int32_t shape[2]; };
struct Grid { double pitch[3], first[3]; int32_t shape[3]; };

static std::mt19937 chance(1);
static double normal() { return std::normal_distribution<double>()(chance); }
static double uniform(double low, double high) { return std::uniform_real_distribution<double>(low, high)(chance); }
static int whole(int low, int high) { return std::uniform_int_distribution<int>(low, high)(chance); }

template <class S>
struct Field {
    std::vector<S> means, scales, quats, densities;

    Field(int64_t count, double size, double spread, double reach) {
        for (int64_t k = 0; k < 3 * count; ++k) means.push_back(S(uniform(-reach, reach)));
        for (int64_t k = 0; k < 3 * count; ++k) scales.push_back(S(std::log(size) + spread * normal()));
        for (int64_t k = 0; k < 4 * count; ++k) quats.push_back(S(normal()));
        for (int64_t k = 0; k < count; ++k) densities.push_back(S(normal()));
    }
    int64_t count() const { return int64_t(densities.size()); }
};

// Σ ρ max(0, exp(−½ dᵀ Σ⁻¹ d) − floor) at a point (x, y, z).
template <class S>
static double value(const Field<S>& field, const double* point) {
    double total = 0;
    for (int64_t i = 0; i < field.count(); ++i) {
        double q[4], length = 0, square = 0;
        for (int k = 0; k < 4; ++k) length += double(field.quats[4 * i + k]) * field.quats[4 * i + k];
        for (int k = 0; k < 4; ++k) q[k] = field.quats[4 * i + k] / std::sqrt(length);
        const double w = q[0], x = q[1], y = q[2], z = q[3];
        const double r[3][3] = {{1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)},
                                {2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)},
                                {2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)}};
        for (int k = 0; k < 3; ++k) {
            double along = 0;
            for (int axis = 0; axis < 3; ++axis) along += r[axis][k] * (point[axis] - field.means[3 * i + axis]);
            along /= std::exp(double(field.scales[3 * i + k]));
            square += along * along;
        }
        total += field.densities[i] * std::fmax(0.0, std::exp(-0.5 * square) - 3.3546262790251185e-4);
    }
    return total;
}

template <class S>
static int scene(int threads) {
    const int precision = sizeof(S) == 8;
    const double sizes[] = {1e-3, 0.02, 0.1, 3.0};
    const Field<S> field(whole(0, 40) * whole(0, 10), sizes[whole(0, 3)], uniform(0, 1.5), uniform(0.1, 4));
    const void* inputs[4] = {field.means.data(), field.scales.data(), field.quats.data(), field.densities.data()};
    std::vector<S> gradients[4] = {field.means, field.scales, field.quats, field.densities};
    void* outputs[4] = {gradients[0].data(), gradients[1].data(), gradients[2].data(), gradients[3].data()};

    const double angle = uniform(-4, 4);
    const bool cone = whole(0, 1);
    const View view{std::cos(angle), std::sin(angle), {uniform(0.02, 0.2), uniform(0.02, 0.2)},
                    cone ? 3.0 : 0.0, cone ? 5.0 : 0.0, {whole(1, 40), whole(1, 40)}};
    std::vector<S> image(size_t(view.shape[0]) * view.shape[1]);
    int bad = nabgs_rasterize(&view, precision, field.count(), inputs, image.data(), threads);
    bad |= nabgs_rasterize_backward(&view, precision, field.count(), inputs, image.data(), outputs, threads);
    std::vector<S> slope(image.size());
    double loss;
    bad |= nabgs_view_loss(precision, view.shape, image.data(), slope.data(), 1.0, 2.0, 0.5, &loss, slope.data(), threads);

    const Grid grid{{uniform(0.02, 0.2), uniform(0.02, 0.2), uniform(0.02, 0.2)},
                    {uniform(-1, 1), uniform(-1, 1), uniform(-1, 1)}, {whole(1, 20), whole(1, 20), whole(1, 40)}};
    std::vector<S> volume(size_t(grid.shape[0]) * grid.shape[1] * grid.shape[2]);
    bad |= nabgs_voxelize(&grid, precision, field.count(), inputs, volume.data(), threads);
    bad |= nabgs_voxelize_backward(&grid, precision, field.count(), inputs, volume.data(), outputs, threads);
    if (precision) {  // float's rounding is the Python tests' business
        for (int trial = 0; trial < 20; ++trial) {
            const int at[3] = {whole(0, grid.shape[0] - 1), whole(0, grid.shape[1] - 1), whole(0, grid.shape[2] - 1)};
            double point[3];
            for (int axis = 0; axis < 3; ++axis) point[2 - axis] = grid.first[axis] + at[axis] * grid.pitch[axis];
            const double found = volume[(size_t(at[0]) * grid.shape[1] + at[1]) * grid.shape[2] + at[2]];
            if (!(std::fabs(found - value(field, point)) < 1e-7)) {
                std::printf("rendered %g where %g belongs\n", found, value(field, point));
                return 1;
            }
        }
    }
    return bad;
}

// A beam through slices, and ⟨A x, y⟩ = ⟨x, Aᵀ y⟩.
template <class S>
static int beam(int threads) {
    const int precision = sizeof(S) == 8, views = whole(1, 5), slices = whole(1, 90);
    const NabgsParallelBeam beam{{whole(1, 30), whole(1, 90)}, whole(1, 150), views, {uniform(0.2, 3), uniform(0.2, 3)},
                                 uniform(0.1, 3)};
    std::vector<double> angles;
    for (int k = 0; k < views; ++k) angles.push_back(whole(0, 2) ? uniform(-4, 4) : 0.78539816339744831 * whole(0, 4));
    std::vector<S> x(size_t(beam.shape[0]) * beam.shape[1] * slices), back(x.size());
    std::vector<S> seen(size_t(views) * beam.pixels * slices), y(seen.size());
    for (S& value : x) value = S(normal());
    for (S& value : y) value = S(normal());
    int bad = nabgs_project(&beam, angles.data(), precision, slices, x.data(), seen.data(), threads);
    bad |= nabgs_backproject(&beam, angles.data(), precision, slices, y.data(), back.data(), threads);
    double one = 0, other = 0, size = 0;
    for (size_t k = 0; k < y.size(); ++k) one += double(seen[k]) * y[k], size += std::fabs(double(seen[k]) * y[k]);
    for (size_t k = 0; k < x.size(); ++k) other += double(x[k]) * back[k];
    if (!(std::fabs(one - other) <= (precision ? 1e-11 : 1e-3) * (size + 1))) {
        std::printf("projected to %g where %g belongs\n", one, other);
        return 1;
    }
    return bad;
}

// Images convolved, some pixels of which are summed directly; nothing where this processor has no such kernel.
static int convolution(int threads) {
    const int C = NABGS_CHANNELS;
    const double G[6][3] = {{0.25, 0, 0}, {-1 / 6., -1 / 6., -1 / 6.}, {-1 / 6., 1 / 6., -1 / 6.},
                            {1 / 24., 1 / 12., 1 / 6.}, {1 / 24., -1 / 12., 1 / 6.}, {0, 0, 1}};
    const int64_t shape[3] = {whole(0, 3), whole(1, 22), whole(1, 22)};
    const size_t pixels = size_t(shape[0] * shape[1] * shape[2]);
    std::vector<float> plain(size_t(9) * C * C), weights(size_t(36) * C * C);
    std::vector<float> from(pixels * C), to(pixels * C), gain(shape[0] * C), offset(shape[0] * C);
    for (auto* values : {&plain, &from, &gain, &offset, &to})
        for (float& value : *values) value = float(normal());
    for (int pair = 0; pair < C * C; ++pair)
        for (int j = 0; j < 6; ++j)
            for (int i = 0; i < 6; ++i) {
                double sum = 0;
                for (int y = 0; y < 3; ++y)
                    for (int x = 0; x < 3; ++x) sum += G[j][y] * plain[size_t(y * 3 + x) * C * C + pair] * G[i][x];
                weights[size_t(j * 6 + i) * C * C + pair] = float(sum);
            }
    const bool cut = whole(0, 1) == 1, adds = whole(0, 1) == 1;
    const std::vector<float> before = to;
    const int code = nabgs_convolve(shape, weights.data(), gain.data(), offset.data(), cut, adds ? to.data() : nullptr,
                                    from.data(), to.data(), threads);
    if (code == NABGS_NOT_BUILT) return 0;
    for (int k = 0; k < 30 && pixels; ++k) {
        const int image = whole(0, int(shape[0]) - 1), row = whole(0, int(shape[1]) - 1);
        const int column = whole(0, int(shape[2]) - 1), channel = whole(0, C - 1);
        double sum = 0;
        for (int y = 0; y < 3; ++y)
            for (int x = 0; x < 3; ++x) {
                const int j = row + y - 1, i = column + x - 1;
                if (j < 0 || j >= shape[1] || i < 0 || i >= shape[2]) continue;
                for (int c = 0; c < C; ++c)
                    sum += double(from[((image * shape[1] + j) * shape[2] + i) * C + c])
                           * plain[(size_t(y * 3 + x) * C + c) * C + channel];
            }
        const size_t at = ((image * shape[1] + row) * shape[2] + column) * C + channel;
        double value = sum * gain[image * C + channel] + offset[image * C + channel];
        if (cut) value = std::fmax(value, 0.0);
        if (adds) value += before[at];
        if (!(std::fabs(to[at] - value) < 5e-3)) {  // sums of 432 products of about 1
            std::printf("convolved to %g where %g belongs\n", to[at], value);
            return 1;
        }
    }
    return code;
}

int main() {
    for (int k = 0; k < 12; ++k)
        if (convolution(1 + k % 4)) return 1;
    for (int k = 0; k < 60; ++k)
        if (scene<float>(1 + k % 4) || scene<double>(1 + k % 3) || beam<float>(1 + k % 3) || beam<double>(1 + k % 4))
            return 1;
    std::printf("rendered 120 scenes with %s\n", nabgs_instruction_set());
    return 0;
}
