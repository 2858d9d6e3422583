#include "echelon/problem/sparse_regression.hpp"

#include <Eigen/Eigenvalues>
#include <cmath>
#include <utility>

#include "echelon/core/error.hpp"
#include "echelon/core/random.hpp"
#include "echelon/problem/catalog.hpp"
#include "echelon/problem/proximal.hpp"

namespace echelon {

namespace {

// Streams of the draws that make up the data.
enum Part : std::uint64_t { coefficients, training_samples, validation_samples };

}  // namespace

void SparseRegressionOptions::visit(OptionVisitor& visitor) {
  visitor.choice("penalty", penalty, {"l1", "group", "scad", "mcp"},
                 "r: absolute values, Euclidean norms of groups, or one that levels off");
  visitor("shape", shape, above(1), "scad, mcp: where r levels off, in units of the weight");
  visitor("train", train, between(1, 1e6), "N, training samples");
  visitor("validation", validation, between(1, 1e6), "M, validation samples");
  visitor("features", features, between(1, 2000), "length of y");
  visitor("groups", groups, between(1, 2000), "groups of features with a weight each; length of x");
  visitor("label_noise", label_noise, at_least(0), "standard deviation of the errors of targets");
  visitor("start_weight", start_weight, above(0), "weight e^x of all groups at the start");
}

SparseRegression::SparseRegression(AgentSet agents, const SparseRegressionOptions& options,
                                   std::uint64_t seed)
    : BilevelProblem(std::move(agents)), options_(options) {
  require(options.groups <= options.features, ErrorKind::usage, "problem.groups: ", options.groups,
          " (there are ", options.features, " features); choose at most as many groups");
  const auto q = static_cast<Index>(options.features);
  VectorXd truth = VectorXd::Zero(q);
  Draws of_truth(seed, Purpose::problem_data, 0, 0, coefficients);
  for (Index j = 0; j < first_of((options.groups + 1) / 2); ++j) truth(j) = of_truth.normal();
  const auto draw = [&](Part part, std::int64_t count) {
    Data result{Eigen::MatrixXd(q, count), VectorXd(count)};
    for (Index b = 0; b < count; ++b) {
      Draws draws(seed, Purpose::problem_data, 0, static_cast<std::uint64_t>(b), part);
      for (Index j = 0; j < q; ++j) result.features(j, b) = draws.normal();
      result.targets(b) = result.features.col(b).dot(truth) + options_.label_noise * draws.normal();
    }
    return result;
  };
  train_ = draw(training_samples, options.train);
  validation_ = draw(validation_samples, options.validation);
}

VectorXd SparseRegression::start_x() const {
  return VectorXd::Constant(upper_dimension(), std::log(options_.start_weight));
}

Index SparseRegression::first_of(Index group) const {
  return static_cast<Index>(options_.features) * group / static_cast<Index>(options_.groups);
}

double SparseRegression::penalty(double weight, const Eigen::Ref<const VectorXd>& group) const {
  if (options_.penalty == "group") return weight * group.norm();
  double sum = 0;
  for (const double y : group) {
    sum += options_.penalty == "l1"     ? weight * std::abs(y)
           : options_.penalty == "scad" ? Scad{options_.shape}.value(weight, y)
                                        : Mcp{options_.shape}.value(weight, y);
  }
  return sum;
}

double SparseRegression::penalty_by_weight(double weight,
                                           const Eigen::Ref<const VectorXd>& group) const {
  if (options_.penalty == "group") return group.norm();
  double sum = 0;
  for (const double y : group) {
    sum += options_.penalty == "l1"     ? std::abs(y)
           : options_.penalty == "scad" ? Scad{options_.shape}.by_weight(weight, y)
                                        : Mcp{options_.shape}.by_weight(weight, y);
  }
  return sum;
}

void SparseRegression::shrink(double t, double weight, Eigen::Ref<VectorXd> group) const {
  if (options_.penalty == "group") {
    shrink_group(group, t * weight);
    return;
  }
  for (double& y : group) {
    y = options_.penalty == "l1"     ? soft_threshold(y, t * weight)
        : options_.penalty == "scad" ? Scad{options_.shape}.prox(t, weight, y)
                                     : Mcp{options_.shape}.prox(t, weight, y);
  }
}

void SparseRegression::lower_prox(double t, const ConstVector& x, Vector y) const {
  for (Index k = 0; k < x.size(); ++k) {
    const Index first = first_of(k);
    shrink(t, std::exp(x(k)), y.segment(first, first_of(k + 1) - first));
  }
}

template <class Visit>
double SparseRegression::for_each_sample(Level level, int local, const Visit& visit) const {
  const std::int64_t total = data(level).targets.size();
  const AgentId agent = agents().local[static_cast<std::size_t>(local)];
  const AgentId n = agents().total;
  for (std::int64_t b = total * agent / n; b < total * (agent + 1) / n; ++b) visit(b);
  return static_cast<double>(n) / static_cast<double>(total);
}

double SparseRegression::value(Level level, int local, const Sample&, const ConstVector& x,
                               const ConstVector& y) const {
  const Data& samples = data(level);
  double sum = 0;
  const double scale = for_each_sample(level, local, [&](Index b) {
    const double residual = samples.features.col(b).dot(y) - samples.targets(b);
    sum += 0.5 * residual * residual;
  });
  double result = scale * sum;
  if (level == Level::upper) return result;
  for (Index k = 0; k < x.size(); ++k) {
    const Index first = first_of(k);
    result += penalty(std::exp(x(k)), y.segment(first, first_of(k + 1) - first));
  }
  return result;
}

void SparseRegression::gradient(Level level, int local, const Sample&,
                                std::span<const AgentPoint> points) const {
  const Data& samples = data(level);
  for (AgentPoint point : points) {
    if (point.wants_gy()) {
      point.gy.setZero();
      const double scale = for_each_sample(level, local, [&](Index b) {
        const double residual = samples.features.col(b).dot(point.y) - samples.targets(b);
        point.gy += residual * samples.features.col(b);
      });
      point.gy *= scale;
    }
    if (!point.wants_gx()) continue;
    point.gx.setZero();
    if (level == Level::upper) continue;
    for (Index k = 0; k < point.x.size(); ++k) {
      const Index first = first_of(k);
      const double weight = std::exp(point.x(k));
      point.gx(k) =
          weight * penalty_by_weight(weight, point.y.segment(first, first_of(k + 1) - first));
    }
  }
}

std::optional<VectorXd> SparseRegression::lower_solution(const VectorXd& x) const {
  constexpr int most_steps = 100000;
  const auto count = static_cast<double>(options_.train);
  const Eigen::MatrixXd hessian = train_.features * train_.features.transpose() / count;
  const VectorXd right = train_.features * train_.targets / count;
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> pairs(hessian, Eigen::EigenvaluesOnly);
  const double step = 1 / std::max(1.0, pairs.eigenvalues()(lower_dimension() - 1));
  VectorXd y = VectorXd::Zero(lower_dimension());
  for (int t = 0; t < most_steps; ++t) {
    VectorXd next = y - step * (hessian * y - right);
    lower_prox(step, ConstVector(x.data(), x.size()), Vector(next.data(), next.size()));
    const double moved = (next - y).norm();
    y = next;
    if (moved <= 1e-15 * (1 + y.norm())) break;
  }
  return y;
}

std::int64_t SparseRegression::data_bytes() const {
  std::int64_t numbers = 0;
  for (const Data* data : {&train_, &validation_}) {
    numbers += data->features.size() + data->targets.size();
  }
  return numbers * static_cast<std::int64_t>(sizeof(double));
}

namespace detail {

std::vector<ProblemEntry> sparse_regression_parts() {
  return {problem_part<SparseRegression, SparseRegressionOptions>(
      {.name = "sparse-regression",
       .summary = "weights of penalties that press coefficients to zero: nonsmooth lower levels",
       .formula =
           "g_i = n/N 1/2 sum_b (a_b'y - t_b)^2 + sum_k r(e^{x_k}, y_k);  "
           "f_i = n/M 1/2 sum_b (a_b'y - t_b)^2;  r(w, y) = w |y|_1, w |y|_2, SCAD or MCP"})};
}

}  // namespace detail

}  // namespace echelon
