#include "echelon/problem/ridge.hpp"

#include <Eigen/Cholesky>
#include <cmath>
#include <utility>

#include "echelon/core/random.hpp"
#include "echelon/problem/catalog.hpp"

namespace echelon {

namespace {

using Eigen::MatrixXd;

// Streams of the draws that make up the data.
enum Part : std::uint64_t { coefficients, training_samples, validation_samples };

double sigma(double t) {
  return 1 / (1 + std::exp(-t));
}
double sigma_slope(double t) {
  return sigma(t) * sigma(-t);
}

/// The first half of the features matters, the second has coefficient 0.
VectorXd true_coefficients(Index features, std::uint64_t seed) {
  Draws draws(seed, Purpose::problem_data, 0, 0, coefficients);
  VectorXd y = VectorXd::Zero(features);
  for (Index j = 0; j < (features + 1) / 2; ++j) y(j) = draws.normal();
  return y;
}

}  // namespace

void RidgeOptions::visit(OptionVisitor& visitor) {
  visitor.choice("upper_variable", upper_variable, {"regularization", "data-weights"},
                 "what x sets: e^x regularizes the coordinates, or sigma(x) weighs the samples");
  visitor("train", train, between(1, 1e6), "N, training samples");
  visitor("validation", validation, between(1, 1e6), "M, validation samples");
  visitor("features", features, between(1, 2000), "length of y");
  visitor("label_noise", label_noise, at_least(0), "standard deviation of the errors of targets");
  visitor("outliers", outliers, between(0, 1),
          "probability that a training target has ten times the error");
  visitor("regularization", regularization, above(0), "r of data-weights, the same for all y_j");
  visitor("batch", batch, at_least(0), "samples per agent and call; 0 = all");
}

Ridge::Ridge(AgentSet agents, const RidgeOptions& options, std::uint64_t seed)
    : BilevelProblem(std::move(agents)), options_(options), seed_(seed) {
  const auto d = static_cast<Index>(options_.features);
  const VectorXd truth = true_coefficients(d, seed);
  const auto draw = [&](Part part, std::int64_t count, double outliers) {
    Data result{MatrixXd(d, count), VectorXd(count)};
    for (Index b = 0; b < count; ++b) {
      Draws draws(seed, Purpose::problem_data, 0, static_cast<std::uint64_t>(b), part);
      for (Index j = 0; j < d; ++j) result.features(j, b) = draws.normal();
      const double scale = draws.uniform() < outliers ? 10 : 1;
      result.targets(b) =
          result.features.col(b).dot(truth) + scale * options_.label_noise * draws.normal();
    }
    return result;
  };
  train_ = draw(training_samples, options_.train, options_.outliers);
  validation_ = draw(validation_samples, options_.validation, 0);
}

Index Ridge::upper_dimension() const {
  return static_cast<Index>(weighs_data() ? options_.train : options_.features);
}

Ridge::Block Ridge::block(Level level, int local) const {
  const std::int64_t total = data(level).targets.size();
  const AgentId agent = agents().local[static_cast<std::size_t>(local)];
  const AgentId n = agents().total;
  const std::int64_t first = total * agent / n;
  return {first, total * (agent + 1) / n - first};
}

double Ridge::factor(Level level) const {
  return static_cast<double>(agents().total) / static_cast<double>(data(level).targets.size());
}

template <class Visit>
double Ridge::for_each_drawn(Level level, int local, const Sample& sample,
                             const Visit& visit) const {
  const Block own = block(level, local);
  const SampleDraw drawn = draw_samples(level, agents().local[static_cast<std::size_t>(local)],
                                        sample, own.count, options_.batch, seed_);
  if (drawn.everything) {
    for (std::int64_t row = 0; row < own.count; ++row) visit(own.first + row);
  } else {
    for (const std::int64_t row : drawn.rows) visit(own.first + row);
  }
  return factor(level) * drawn.scale;
}

double Ridge::weight(const ConstVector& x, Index b) const {
  return weighs_data() ? sigma(x(b)) : 1;
}

VectorXd Ridge::regularization(const ConstVector& x) const {
  VectorXd r = VectorXd::Constant(lower_dimension(), options_.regularization);
  if (weighs_data()) return r;
  for (Index j = 0; j < r.size(); ++j) r(j) = std::exp(x(j));
  return r;
}

double Ridge::value(Level level, int local, const Sample& sample, const ConstVector& x,
                    const ConstVector& y) const {
  const bool lower = level == Level::lower;
  const Data& samples = data(level);
  double sum = 0;
  const double scale = for_each_drawn(level, local, sample, [&](Index b) {
    const double residual = samples.features.col(b).dot(y) - samples.targets(b);
    sum += 0.5 * (lower ? weight(x, b) : 1) * residual * residual;
  });
  return lower ? scale * sum + 0.5 * y.dot(regularization(x).cwiseProduct(y)) : scale * sum;
}

void Ridge::gradient(Level level, int local, const Sample& sample,
                     std::span<const AgentPoint> points) const {
  for (AgentPoint point : points) {
    if (point.wants_gx()) point.gx.setZero();
    if (point.wants_gy()) point.gy.setZero();
    add_data_gradient(level, local, sample, point);
    if (level == Level::upper) continue;
    const VectorXd r = regularization(point.x);
    if (point.wants_gy()) point.gy += r.cwiseProduct(point.y);
    if (point.wants_gx() && !weighs_data()) {
      point.gx = 0.5 * r.cwiseProduct(point.y.cwiseProduct(point.y));
    }
  }
}

void Ridge::add_data_gradient(Level level, int local, const Sample& sample,
                              AgentPoint& point) const {
  const bool lower = level == Level::lower;
  const bool wants_weights = lower && weighs_data() && point.wants_gx();
  if (!point.wants_gy() && !wants_weights) return;
  const Data& samples = data(level);
  const double scale = for_each_drawn(level, local, sample, [&](Index b) {
    const double residual = samples.features.col(b).dot(point.y) - samples.targets(b);
    const double w = lower ? weight(point.x, b) : 1;
    if (point.wants_gy()) point.gy += w * residual * samples.features.col(b);
    if (wants_weights) point.gx(b) += 0.5 * sigma_slope(point.x(b)) * residual * residual;
  });
  if (wants_weights) point.gx *= scale;
  if (point.wants_gy()) point.gy *= scale;
}

void Ridge::product(int local, const Sample& sample, const AgentProduct& product) const {
  AgentProduct at = product;
  const bool wants_weights = weighs_data() && at.wants_jv();
  if (at.wants_hv()) at.hv.setZero();
  if (at.wants_jv()) at.jv.setZero();
  const double scale = for_each_drawn(Level::lower, local, sample, [&](Index b) {
    const auto a = train_.features.col(b);
    const double along = a.dot(at.v);
    if (at.wants_hv()) at.hv += weight(at.x, b) * along * a;
    if (wants_weights) at.jv(b) += sigma_slope(at.x(b)) * (a.dot(at.y) - train_.targets(b)) * along;
  });
  if (at.wants_hv()) at.hv *= scale;
  if (wants_weights) at.jv *= scale;
  const VectorXd r = regularization(at.x);
  if (at.wants_hv()) at.hv += r.cwiseProduct(at.v);
  if (at.wants_jv() && !weighs_data()) at.jv = r.cwiseProduct(at.y.cwiseProduct(at.v));
}

std::optional<HessianFactors> Ridge::hessian_factors(int local, const ConstVector& x,
                                                     const ConstVector&) const {
  const Block own = block(Level::lower, local);
  HessianFactors result{regularization(x), MatrixXd(lower_dimension(), own.count)};
  const double scale = factor(Level::lower) * static_cast<double>(own.count);
  for (Index b = 0; b < own.count; ++b) {
    const Index number = own.first + b;
    result.factors.col(b) = std::sqrt(scale * weight(x, number)) * train_.features.col(number);
  }
  return result;
}

MatrixXd Ridge::hessian(const ConstVector& x) const {
  VectorXd weights(options_.train);
  for (Index b = 0; b < weights.size(); ++b) {
    weights(b) = weight(x, b) / static_cast<double>(options_.train);
  }
  MatrixXd result = train_.features * weights.asDiagonal() * train_.features.transpose();
  result.diagonal() += regularization(x);
  return result;
}

std::optional<VectorXd> Ridge::lower_solution(const VectorXd& x) const {
  const ConstVector at(x.data(), x.size());
  VectorXd right = VectorXd::Zero(lower_dimension());
  for (Index b = 0; b < options_.train; ++b) {
    right += weight(at, b) * train_.targets(b) * train_.features.col(b);
  }
  return hessian(at).llt().solve(right / static_cast<double>(options_.train));
}

VectorXd Ridge::hypergradient(const VectorXd& x) const {
  const ConstVector at(x.data(), x.size());
  const VectorXd y = *lower_solution(x);
  const VectorXd residual = validation_.features.transpose() * y - validation_.targets;
  const VectorXd fy = validation_.features * residual / static_cast<double>(options_.validation);
  const VectorXd u = hessian(at).llt().solve(fy);
  if (!weighs_data()) return -u.cwiseProduct(regularization(at).cwiseProduct(y));
  VectorXd result(x.size());
  for (Index b = 0; b < x.size(); ++b) {
    const auto a = train_.features.col(b);
    result(b) = -sigma_slope(x(b)) * (a.dot(y) - train_.targets(b)) * a.dot(u) /
                static_cast<double>(options_.train);
  }
  return result;
}

std::int64_t Ridge::data_bytes() const {
  std::int64_t numbers = 0;
  for (const Data* data : {&train_, &validation_}) {
    numbers += data->features.size() + data->targets.size();
  }
  return numbers * static_cast<std::int64_t>(sizeof(double));
}

namespace detail {

std::vector<ProblemEntry> ridge_parts() {
  return {problem_part<Ridge, RidgeOptions>(
      {.name = "ridge",
       .summary = "hyper-parameters of ridge regression with an exact hypergradient",
       .formula = "g_i = n/N 1/2 sum_b w_b (a_b'y - t_b)^2 + 1/2 sum_j r_j y_j^2;  "
                  "f_i = n/M 1/2 sum_b (a_b'y - t_b)^2;  r_j = e^{x_j} or w_b = sigma(x_b)"})};
}

}  // namespace detail

}  // namespace echelon
