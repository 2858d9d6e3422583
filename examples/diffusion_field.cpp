// Echelon as a guest in a field solver. A plate with known heaters s and cold edges,
//     du/dt = div(kappa grad u) + s,    kappa(x, y) = sum_k theta_k phi_k(x, y)
// (u in K above the surroundings, s in K/s, kappa and theta in m^2/s), is split over the ranks of a
// Cartesian communicator. Each subdomain has thermometers whose readings never leave its rank. From
// them the subdomains estimate theta together, by gossip with their neighbors that is under way
// while the solver marches and exchanges its halos.
//
//     mpirun -n 4 diffusion_field [--cells 24] [--iterations 16] [--check]
#include <mpi.h>

#include <Eigen/Dense>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <echelon/comm/mixer.hpp>
#include <echelon/core/random.hpp>
#include <functional>
#include <numbers>
#include <string_view>
#include <utility>
#include <vector>

using namespace echelon;
using Eigen::ArrayXXd, Eigen::MatrixXd, std::numbers::pi;

constexpr double width = 0.3, height = 0.2;  // m
constexpr double duration = 20;              // s
constexpr double noise = 0.02;               // K, standard deviation of a reading
constexpr double kappa_limit = 2.2e-4;       // m^2/s, for which the time step is stable
constexpr int readings = 10;                 // of each thermometer, evenly spaced in time
constexpr int exact_iterations = 8;          // with all-reduce
constexpr int parameters = 4;
using Theta = Eigen::Matrix<double, parameters, 1>;
using Function = std::function<double(double x, double y)>;
using AfterStep = std::function<void(int step)>;
const AfterStep nothing = [](int) {};

const Theta true_theta(1.0e-4, 0.3e-4, -0.2e-4, 0.15e-4);
const Theta first_guess(1.2e-4, 0, 0, 0);

/// phi_k = cos(p x) cos(q y) and its derivatives in x and y; k = 0 .. 3: half waves in neither, x,
/// y, both.
std::array<double, 3> basis(int k, double x, double y) {
  const double p = (k % 2) * pi / width, q = (k / 2) * pi / height;
  return {std::cos(p * x) * std::cos(q * y), -p * std::sin(p * x) * std::cos(q * y),
          -q * std::cos(p * x) * std::sin(q * y)};
}

double heaters(double x, double y) {  // K/s
  const auto heater = [&](double from_x, double from_y) {
    return 0.5 * std::exp(-(std::pow(x - from_x, 2) + std::pow(y - from_y, 2)) / 0.0018);
  };
  return heater(0.09, 0.12) + heater(0.225, 0.06);
}

struct CartesianGrid {
  CartesianGrid() {
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Dims_create(size, 2, dims.data());
    const std::array<int, 2> periods{0, 0};
    MPI_Cart_create(MPI_COMM_WORLD, 2, dims.data(), periods.data(), 1, &comm);
    MPI_Comm_rank(comm, &rank);
    MPI_Cart_coords(comm, rank, 2, coords.data());
    MPI_Cart_shift(comm, 0, 1, &neighbors[0], &neighbors[1]);
    MPI_Cart_shift(comm, 1, 1, &neighbors[2], &neighbors[3]);
  }
  ~CartesianGrid() { MPI_Comm_free(&comm); }
  CartesianGrid(const CartesianGrid&) = delete;
  CartesianGrid& operator=(const CartesianGrid&) = delete;
  double all(MPI_Op operation, double own) const {
    MPI_Allreduce(MPI_IN_PLACE, &own, 1, MPI_DOUBLE, operation, comm);
    return own;
  }

  MPI_Comm comm = MPI_COMM_NULL;
  int rank = 0, size = 1;
  std::array<int, 2> dims{}, coords{};
  std::array<int, 4> neighbors{};  ///< west, east, south, north; MPI_PROC_NULL at an edge
};

/// This rank's cells, with u and, if asked for, the sensitivities v_k = du / d theta_k, which obey
///     dv_k/dt = div(kappa grad v_k + phi_k grad u).
/// Finite volumes and explicit steps; the v_k are the exact derivatives of the discrete u.
/// `refinement` splits each cell in both directions, on the same ranks.
class Plate {
 public:
  Plate(const CartesianGrid& grid, int cells, bool with_sensitivities, int refinement = 1)
      : h(height / (refinement * cells)), grid_(grid) {
    const std::array<int, 2> total{3 * cells / 2, cells};
    for (int a = 0; a < 2; ++a) {
      if (total[a] < grid.dims[a])
        throw Error(ErrorKind::usage, "--cells: too few for so many ranks; take more", true);
      first[a] = refinement * (total[a] * grid.coords[a] / grid.dims[a]);
      count[a] = refinement * (total[a] * (grid.coords[a] + 1) / grid.dims[a]) - first[a];
    }
    const double stable = std::pow(height / cells, 2) / (4 * kappa_limit);  // s
    steps_per_reading =
        refinement * refinement * static_cast<int>(std::ceil(duration / readings / stable));
    steps = readings * steps_per_reading;
    fields.resize(with_sensitivities ? 1 + parameters : 1);
    for (int k = 0; k < parameters; ++k)
      for (int axis = 0; axis < 2; ++axis)
        phi_[axis][k] = sample([k](double x, double y) { return basis(k, x, y)[0]; }, axis);
    for (int side = 0; side < 4; ++side)
      sent_[side] = received_[side] = MatrixXd(count[side < 2 ? 1 : 0], fields.size());
  }

  /// Values at the centers of the own cells, or at their faces across an axis.
  ArrayXXd sample(const Function& function, int axis = -1) const {
    const int across_x = axis == 0, across_y = axis == 1;
    const auto value = [&](Index i, Index j) {
      return function(h * (static_cast<double>(first[0] + i) + 0.5 * (1 - across_x)),
                      h * (static_cast<double>(first[1] + j) + 0.5 * (1 - across_y)));
    };
    return ArrayXXd::NullaryExpr(count[0] + across_x, count[1] + across_y, value);
  }
  /// Differences over the faces across an axis.
  auto rise(const ArrayXXd& u, Index axis) const {
    const Index nx = count[0] + 1 - axis, ny = count[1] + axis;
    return u.block(1, 1, nx, ny) - u.block(axis, 1 - axis, nx, ny);
  }
  /// A field without its ghost cells.
  static Eigen::Block<ArrayXXd> inner(ArrayXXd& u) {
    return u.block(1, 1, u.rows() - 2, u.cols() - 2);
  }

  /// Solves from u = initial at time 0 to `duration`, with s = e^(-decay t) source; calls
  /// after_step(1), after_step(2), ...
  void run(const Theta& theta, const ArrayXXd& initial, const ArrayXXd& source, double decay,
           const AfterStep& after_step) {
    for (ArrayXXd& field : fields) field.setZero(count[0] + 2, count[1] + 2);
    inner(fields[0]) = initial;
    std::array<ArrayXXd, 2> kappa;
    for (int axis = 0; axis < 2; ++axis) {
      kappa[axis] = theta(0) * phi_[axis][0];
      for (int k = 1; k < parameters; ++k) kappa[axis] += theta(k) * phi_[axis][k];
    }
    const double dt = duration / steps;
    ArrayXXd flux, inflow;
    for (int step = 1; step <= steps; ++step) {
      exchange_halo();
      for (int f = static_cast<int>(fields.size()) - 1; f >= 0; --f) {  // the others need the old u
        inflow.setZero(count[0], count[1]);
        for (int axis = 0; axis < 2; ++axis) {
          flux = kappa[axis] * rise(fields[f], axis);
          if (f > 0) flux += phi_[axis][f - 1] * rise(fields[0], axis);
          inflow += flux.bottomRightCorner(count[0], count[1]);
          inflow -= flux.topLeftCorner(count[0], count[1]);
        }
        inner(fields[f]) += dt / (h * h) * inflow;
      }
      inner(fields[0]) += dt * std::exp(-decay * dt * (step - 1)) * source;
      after_step(step);
    }
  }

  const double h;  ///< m, side of a cell
  int steps_per_reading, steps;
  std::array<int, 2> first{}, count{};  ///< own cells, in x and y
  std::vector<ArrayXXd> fields;         ///< u, v_0, v_1, ... with a ring of ghost cells
  double halo_bytes = 0;                ///< sent so far

 private:
  /// The outermost cells (depth 1) or the ghosts (depth 0) on a side.
  static auto line(ArrayXXd& u, int side, Index depth) {
    const Index from_low = side % 2 == 0 ? depth : (side < 2 ? u.rows() : u.cols()) - 1 - depth;
    using Line = Eigen::Map<VectorXd, 0, Eigen::InnerStride<>>;
    return side < 2 ? Line(&u(from_low, 1), u.cols() - 2, Eigen::InnerStride<>(u.rows()))
                    : Line(&u(1, from_low), u.rows() - 2, Eigen::InnerStride<>(1));
  }

  /// The tag is the direction of travel, 0 .. 3. Echelon uses such tags too, on its own duplicate.
  void exchange_halo() {
    std::array<MPI_Request, 8> requests;
    for (int side = 0; side < 4; ++side) {
      MatrixXd& out = sent_[side];
      for (int f = 0; f < out.cols(); ++f) out.col(f) = line(fields[f], side, 1);
      const int peer = grid_.neighbors[side], length = static_cast<int>(out.size());
      MPI_Irecv(received_[side].data(), length, MPI_DOUBLE, peer, side ^ 1, grid_.comm,
                &requests[2 * side]);
      MPI_Isend(out.data(), length, MPI_DOUBLE, peer, side, grid_.comm, &requests[2 * side + 1]);
      if (peer != MPI_PROC_NULL) halo_bytes += 8.0 * length;
    }
    MPI_Waitall(8, requests.data(), MPI_STATUSES_IGNORE);
    for (int side = 0; side < 4; ++side) {  // at an edge a mirror image keeps u = 0 in between
      if (grid_.neighbors[side] == MPI_PROC_NULL) received_[side] = -sent_[side];
      for (int f = 0; f < received_[side].cols(); ++f)
        line(fields[f], side, 0) = received_[side].col(f);
    }
  }

  const CartesianGrid& grid_;
  std::array<std::array<ArrayXXd, parameters>, 2> phi_;  ///< at the faces across x and y
  std::array<MatrixXd, 4> sent_, received_;              ///< a column per field
};

/// Root mean square error at the end, in K, where u = e^(-t / 10 s) w, w = sin(p x) sin(q y), and
/// the source is -u / 10 s - div(kappa grad u) with the true kappa.
double solver_error(const CartesianGrid& grid, int cells) {
  const double p = pi / width, q = pi / height, decay = 0.1;
  const auto w = [=](double x, double y) { return std::sin(p * x) * std::sin(q * y); };
  const auto source = [=](double x, double y) {
    const double w_x = p * std::cos(p * x) * std::sin(q * y);
    const double w_y = q * std::sin(p * x) * std::cos(q * y);
    double s = -decay * w(x, y);
    for (int k = 0; k < parameters; ++k) {
      const auto [phi, phi_x, phi_y] = basis(k, x, y);
      s -= true_theta(k) * (phi_x * w_x + phi_y * w_y - phi * (p * p + q * q) * w(x, y));
    }
    return s;
  };
  Plate plate(grid, cells, false);
  plate.run(true_theta, plate.sample(w), plate.sample(source), decay, nothing);
  const ArrayXXd error =
      Plate::inner(plate.fields[0]) - std::exp(-decay * duration) * plate.sample(w);
  double squares = 0;
  for (const double e : error.reshaped()) squares += e * e;
  return std::sqrt(grid.all(MPI_SUM, squares) / (1.5 * cells * cells));
}

/// The normal equations H theta = b of a misfit that is linearized: all that a subdomain tells of
/// its readings. Stored: b, H by columns, and the misfit.
constexpr int summary_size = parameters + parameters * parameters + 1;
using Summary = Eigen::Matrix<double, summary_size, 1>;
using Curvature = Eigen::Matrix<double, parameters, parameters>;

Curvature curvature(const Summary& summary) {
  return summary.segment<parameters * parameters>(parameters).reshaped(parameters, parameters);
}
struct Estimate {
  Theta theta;
  Summary mean;  ///< over subdomains, or what this one holds for it
};

/// A step of Gauss-Newton; shorter at first, where the misfit is far from a parabola.
Theta improved(const Theta& theta, const Summary& summary, int k) {
  const Theta solution = curvature(summary).ldlt().solve(summary.head<parameters>());
  return theta + (1 - std::pow(0.5, k + 1)) * (solution - theta);
}

/// A part of the plate with a thermometer in every fourth of its cells in each direction.
class Subdomain {
 public:
  /// Reads them off a plate with the true kappa, three times finer.
  Subdomain(const CartesianGrid& grid, int cells)
      : plate(grid, cells, true), source_(plate.sample(heaters)) {
    for (int j = 0; j < plate.count[1]; ++j)
      for (int i = 0; i < plate.count[0]; ++i)
        if ((plate.first[0] + i) % 4 == 2 && (plate.first[1] + j) % 4 == 2)
          cells_.push_back({i, j});
    Plate truth(grid, cells, false, 3);
    const ArrayXXd source = truth.sample(heaters);
    truth.run(true_theta, 0 * source, source, 0, [&](int step) {
      if (step % truth.steps_per_reading != 0) return;
      for (const auto& [i, j] : cells_) {
        const int id = (plate.first[1] + j) * 3 * cells / 2 + plate.first[0] + i;
        Draws draws(1, Purpose::problem_data, id, static_cast<std::uint64_t>(step));
        readings_.push_back(truth.fields[0](3 * i + 2, 3 * j + 2) + noise * draws.normal());
      }
    });
  }

  /// Solves with `theta` on this subdomain; calls meanwhile(step) after each step.
  Summary compare(const Theta& theta, const AfterStep& meanwhile = nothing) {
    Theta gradient = Theta::Zero(), slope;
    Curvature curvature = Curvature::Zero();
    double misfit = 0;
    auto reading = readings_.begin();
    plate.run(theta, 0 * source_, source_, 0, [&](int step) {
      meanwhile(step);
      if (step % plate.steps_per_reading != 0) return;
      for (const auto& [i, j] : cells_) {
        const double residual = (plate.fields[0](i + 1, j + 1) - *reading++) / noise;
        for (int k = 0; k < parameters; ++k) slope(k) = plate.fields[k + 1](i + 1, j + 1) / noise;
        gradient += residual * slope;
        curvature += slope * slope.transpose();
        misfit += residual * residual / 2;
      }
    });
    return (Summary() << curvature * theta - gradient, curvature.reshaped(), misfit).finished();
  }
  double count() const { return static_cast<double>(readings_.size()); }

  Plate plate;

 private:
  ArrayXXd source_;
  std::vector<std::array<int, 2>> cells_;
  std::vector<double> readings_;
};

/// The ranks as agents, each with its neighbors of the grid; MPI counts ranks along y first.
MixingMatrix neighbor_weights(const CartesianGrid& grid) {
  std::vector<std::pair<AgentId, AgentId>> edges;
  for (int a = 0; a < grid.size; ++a)
    for (const int b : {a % grid.dims[1] + 1 < grid.dims[1] ? a + 1 : grid.size, a + grid.dims[1]})
      if (b < grid.size) edges.insert(edges.end(), {{a, b}, {b, a}});
  return metropolis_weights(Graph(grid.size, edges));
}

/// Gauss-Newton by tracking. With q_i the summary of subdomain i at theta_i, T_i follows the mean
/// of all by T_i <- (W^r T)_i + q_i - (previous q_i), and gives the next theta_i. The r rounds of
/// the newest T travel while the next q is computed; so steps lag by one solve, which Gauss-Newton
/// does not mind. While subdomains disagree, each solves with its own theta on its cells.
Estimate estimate_by_gossip(Network& network, Subdomain& subdomain, int iterations) {
  const int steps = subdomain.plate.steps;
  const int rounds =
      static_cast<int>(std::clamp(network.certificate().rounds_to_1e6 / 4, 1.0, steps / 2.0));
  Mixer mixer = network.mixer("normal equations", summary_size);
  Theta theta = first_guess;
  AgentMatrix tracker(summary_size, 1);
  tracker.col(0) = subdomain.compare(theta);
  Summary known = tracker.col(0);
  for (int round = 0; round < 4 * rounds; ++round) mixer(tracker, tracker);
  Summary mean = tracker.col(0);
  for (int k = 0; k < iterations; ++k) {
    theta = improved(theta, mean, k);
    mixer.start(tracker);
    int round = 1;
    const Summary q = subdomain.compare(theta, [&](int step) {
      mixer.progress();
      if (step % (steps / rounds) != 0 || round == rounds) return;
      mixer.finish(tracker);
      mixer.start(tracker);
      ++round;
    });
    mixer.finish(tracker);
    mean = tracker.col(0);
    tracker.col(0) += q - known;
    known = q;
  }
  return {theta, mean};
}

/// The same with exact means, at once.
Estimate estimate_by_reduction(Network& network, Subdomain& subdomain) {
  Estimate estimate{first_guess, Summary::Zero()};
  VectorXd mean;
  AgentMatrix own(summary_size, 1);
  for (int k = 0; k < exact_iterations; ++k) {
    own.col(0) = subdomain.compare(estimate.theta);
    network.mean(own, mean);
    estimate = {improved(estimate.theta, mean, k), mean};
  }
  return estimate;
}

/// Distance of this subdomain's gradient from central differences of its misfit, relative.
double gradient_error(Subdomain& subdomain) {
  const Summary summary = subdomain.compare(first_guess);
  const Theta gradient = curvature(summary) * first_guess - summary.head<parameters>();
  Theta error = gradient;
  for (int k = 0; k < parameters; ++k)
    for (const double change : {1e-8, -1e-8})  // m^2/s
      error(k) -=
          subdomain.compare(first_guess + change * Theta::Unit(k))(summary_size - 1) / (2 * change);
  return subdomain.count() > 0 ? error.norm() / gradient.norm() : 0;
}

bool solve(int cells, int iterations, bool check) {
  const CartesianGrid grid;
  const auto say = [&](const char* format, auto... values) {
    if (grid.rank == 0) std::printf(format, values...);
  };
  const double coarse = solver_error(grid, cells / 2), fine = solver_error(grid, cells);
  const double order = std::log2(coarse / fine);
  Subdomain subdomain(grid, cells);
  const Plate& plate = subdomain.plate;
  const double count = grid.all(MPI_SUM, subdomain.count());
  say("plate: %d x %d cells of %.2f mm on %d x %d ranks, %d steps of %.1f ms, %.0f readings\n",
      3 * cells / 2, cells, 1e3 * plate.h, grid.dims[0], grid.dims[1], plate.steps,
      1e3 * duration / plate.steps, count);
  say("solver: error %.1e K, with half the cells %.1e K, order %.2f\n", fine, coarse, order);
  const double wrong = check ? grid.all(MPI_MAX, gradient_error(subdomain)) : 0;
  if (check) say("gradients: %.1e from central differences\n", wrong);

  Network network(Communicator(grid.comm), neighbor_weights(grid));
  const double halo_before = plate.halo_bytes;
  const Estimate own = estimate_by_gossip(network, subdomain, iterations);
  const double halo = grid.all(MPI_SUM, plate.halo_bytes - halo_before) / 1e6;
  const double gossip = grid.all(MPI_SUM, static_cast<double>(network.traffic().bytes)) / 1e6;
  const Estimate exact = estimate_by_reduction(network, subdomain);

  const auto largest = [&](const Theta& difference) {
    return grid.all(MPI_MAX, difference.norm() / true_theta.norm());
  };
  AgentMatrix column(parameters, 1);
  column.col(0) = own.theta;
  const double disagreement = largest(own.theta - network.mean_for_report(column));
  const double expected =  // by the noise
      std::sqrt(curvature(grid.size * exact.mean).inverse().trace()) / true_theta.norm();
  const double error = largest(own.theta - true_theta), distance = largest(own.theta - exact.theta);
  const double per_reading = 2 * grid.size / count;
  say("            iterations   misfit per reading   theta's error   disagreement   (of theta: "
      "relative)\n");
  say("gossip      %10d %20.6f %16.3e %14.1e\n", iterations,
      per_reading * own.mean(summary_size - 1), error, disagreement);
  say("all-reduce  %10d %20.6f %16.3e              0\n", exact_iterations,
      per_reading * exact.mean(summary_size - 1), largest(exact.theta - true_theta));
  say("theta is %.1e from all-reduce; noise alone makes an error of %.1e\n", distance, expected);
  say("theta = (%.4f, %.4f, %.4f, %.4f) 1e-4 m^2/s\n", 1e4 * own.theta(0), 1e4 * own.theta(1),
      1e4 * own.theta(2), 1e4 * own.theta(3));
  say("gossiped %.3f MB, halo exchange meanwhile %.1f MB\n", gossip, halo);
  return order > 1.8 && wrong < 1e-5 && error < 4 * expected && distance < 1e-6;
}

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  int cells = 24, iterations = 16, code = 1;
  bool check = false;
  try {
    for (int a = 1; a < argc; ++a) {
      const std::string_view name = argv[a];
      int* const number = name == "--cells" ? &cells : &iterations;
      const bool numeric = name == "--cells" || name == "--iterations";
      check = check || name == "--check";
      if (numeric ? ++a == argc || std::sscanf(argv[a], "%d", number) != 1 : name != "--check")
        throw Error(ErrorKind::usage, text(name, ": not understood; see the source"), true);
    }
    if (cells < 16 || cells % 4 != 0 || iterations < 1)
      throw Error(ErrorKind::usage, "--cells: takes multiples of 4 from 16; --iterations: from 1",
                  true);
    code = solve(cells, iterations, check) ? 0 : 1;
  } catch (const Error& error) {  // Echelon throws, the host decides
    int rank = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank == 0 || !error.on_all_ranks()) std::fprintf(stderr, "%s\n", error.what());
    code = static_cast<int>(error.kind());
    if (!error.on_all_ranks()) MPI_Abort(MPI_COMM_WORLD, code);
  }
  MPI_Finalize();
  return code;
}
