#include "echelon/problem/analytic.hpp"

#include <utility>

#include "analytic_entries.hpp"
#include "echelon/core/catalog.hpp"
#include "echelon/core/error.hpp"
#include "echelon/core/random.hpp"
#include "echelon/problem/catalog.hpp"

namespace echelon {

namespace {

VectorXd normal_vector(Draws& draws, Index size, double deviation) {
  VectorXd vector(size);
  for (Index i = 0; i < size; ++i) vector(i) = deviation * draws.normal();
  return vector;
}

AnalyticInstance make_instance(const AnalyticOptions& options) {
  const AnalyticEntry& entry = find_entry(analytic_catalog(), options.instance, "instance");
  require(entry.dimension > 0 || options.dimension == 0, ErrorKind::usage,
          "problem.dimension: ", options.dimension, " (instance `", entry.name,
          "` has a fixed size); leave it out");
  AnalyticInstance instance =
      entry.make(options.dimension > 0 ? options.dimension : entry.dimension);
  const auto starts = std::ssize(instance.starts);
  require(options.start >= 0 && options.start < starts, ErrorKind::usage,
          "problem.start: ", options.start, " (instance `", entry.name, "` has ", starts,
          starts == 1 ? " start); choose 0" : text(" starts); choose one of 0 to ", starts - 1));
  return instance;
}

}  // namespace

const std::vector<AnalyticEntry>& analytic_catalog() {
  static const std::vector<AnalyticEntry> entries = [] {
    std::vector<AnalyticEntry> all = detail::closed_form_entries();
    for (auto& entry : detail::box_entries()) all.push_back(std::move(entry));
    for (auto& entry : detail::constrained_entries()) all.push_back(std::move(entry));
    for (auto& entry : detail::set_entries()) all.push_back(std::move(entry));
    return all;
  }();
  return entries;
}

void AnalyticOptions::visit(OptionVisitor& visitor) {
  std::vector<std::string> names;
  for (const AnalyticEntry& entry : analytic_catalog()) names.push_back(entry.name);
  visitor.choice("instance", instance, names, "which problem");
  visitor("dimension", dimension, between(0, 2000), "of an instance that scales; 0 = as published");
  visitor("start", start, at_least(0), "which of the instance's starts, counted from 0");
  visitor("heterogeneity", heterogeneity, at_least(0),
          "size of linear perturbations with zero mean over the agents");
  visitor("noise", noise, at_least(0),
          "standard deviation of Gaussian noise on each gradient entry");
}

Analytic::Analytic(AgentSet agents, const AnalyticOptions& options, std::uint64_t seed)
    : BilevelProblem(std::move(agents)),
      instance_(make_instance(options)),
      start_(static_cast<std::size_t>(options.start)),
      heterogeneity_(options.heterogeneity),
      noise_(options.noise, seed) {
  if (heterogeneity_ == 0) return;
  Perturbation mean{VectorXd::Zero(instance_.q), VectorXd::Zero(instance_.p),
                    VectorXd::Zero(instance_.q)};
  const AgentId n = this->agents().total;
  for (AgentId agent = 0; agent < n; ++agent) {
    const Perturbation one = draw_perturbation(agent);
    mean.g_y += one.g_y / n;
    mean.f_x += one.f_x / n;
    mean.f_y += one.f_y / n;
  }
  for (const AgentId agent : this->agents().local) {
    Perturbation& own = perturbations_.emplace_back(draw_perturbation(agent));
    own.g_y -= mean.g_y;
    own.f_x -= mean.f_x;
    own.f_y -= mean.f_y;
  }
}

Analytic::Perturbation Analytic::draw_perturbation(AgentId agent) const {
  Draws draws(noise_.seed(), Purpose::problem_data, agent);
  Perturbation result;
  result.g_y = normal_vector(draws, instance_.q, heterogeneity_);
  result.f_x = normal_vector(draws, instance_.p, heterogeneity_);
  result.f_y = normal_vector(draws, instance_.q, heterogeneity_);
  return result;
}

const LinearConstraints* Analytic::lower_constraints() const {
  return instance_.constraints ? &*instance_.constraints : nullptr;
}

void Analytic::lower_prox(double t, const ConstVector& x, Vector y) const {
  if (instance_.prox) instance_.prox(t, x, y);
}

double Analytic::value(Level level, int local, const Sample&, const ConstVector& x,
                       const ConstVector& y) const {
  const bool upper = level == Level::upper;
  const double common = upper ? instance_.f(x, y) : instance_.g(x, y);
  if (perturbations_.empty()) return common;
  const Perturbation& own = perturbations_[static_cast<std::size_t>(local)];
  return upper ? common + own.f_x.dot(x) + own.f_y.dot(y) : common + own.g_y.dot(y);
}

void Analytic::gradient(Level level, int local, const Sample& sample,
                        std::span<const AgentPoint> points) const {
  const bool upper = level == Level::upper;
  const AgentId agent = agents().local[static_cast<std::size_t>(local)];
  for (AgentPoint point : points) {
    if (point.wants_gx()) {
      point.gx = upper ? instance_.fx(point.x, point.y) : instance_.gx(point.x, point.y);
    }
    if (point.wants_gy()) {
      point.gy = upper ? instance_.fy(point.x, point.y) : instance_.gy(point.x, point.y);
    }
    if (!perturbations_.empty()) {
      const Perturbation& own = perturbations_[static_cast<std::size_t>(local)];
      if (point.wants_gx() && upper) point.gx += own.f_x;
      if (point.wants_gy()) point.gy += upper ? own.f_y : own.g_y;
    }
    noise_.add(level, agent, sample, point.gx, point.gy, instance_.q);
  }
}

void Analytic::product(int, const Sample&, const AgentProduct& product) const {
  Vector hv = product.hv;
  Vector jv = product.jv;
  if (product.wants_hv()) hv = instance_.hv(product.x, product.y, product.v);
  if (product.wants_jv()) jv = instance_.jv(product.x, product.y, product.v);
}

std::vector<KnownSolution> Analytic::known_solutions(bool personal) const {
  if (!personal) return instance_.solutions;
  if (!perturbations_.empty()) return {};
  std::vector<KnownSolution> solutions = instance_.solutions;
  for (KnownSolution& solution : solutions) solution.y.resize(0);
  return solutions;
}

std::optional<VectorXd> Analytic::lower_solution(const VectorXd& x) const {
  return instance_.lower_solution(x);
}

namespace detail {

AnalyticInstance scalar_instance(const ScalarFunctions& functions) {
  using Function = ScalarFunctions::Function;
  const auto value = [](Function function) {
    return [function](const ConstVector& x, const ConstVector& y) { return function(x(0), y(0)); };
  };
  const auto gradient = [](Function function) {
    return [function](const ConstVector& x, const ConstVector& y) {
      return number(function(x(0), y(0)));
    };
  };
  const auto product = [](Function function) {
    return [function](const ConstVector& x, const ConstVector& y, const ConstVector& v) {
      return number(function(x(0), y(0)) * v(0));
    };
  };
  AnalyticInstance instance;
  instance.f = value(functions.f);
  instance.g = value(functions.g);
  instance.fx = gradient(functions.fx);
  instance.fy = gradient(functions.fy);
  instance.gx = gradient(functions.gx);
  instance.gy = gradient(functions.gy);
  instance.hv = product(functions.gyy);
  instance.jv = product(functions.gxy);
  return instance;
}

}  // namespace detail

namespace {

/// One line for each instance, indented as `describe` shows formulas.
std::string analytic_formulas() {
  std::string all = "by problem.instance:";
  for (const AnalyticEntry& entry : analytic_catalog()) {
    all += "\n  " + entry.name + ": " + entry.summary + "\n      " + entry.formula;
  }
  return all;
}

}  // namespace

namespace detail {

std::vector<ProblemEntry> analytic_parts() {
  return {problem_part<Analytic, AnalyticOptions>(
      {.name = "analytic",
       .summary = "small problems with known answers, in the plane most of them",
       .formula = analytic_formulas()})};
}

}  // namespace detail

}  // namespace echelon
