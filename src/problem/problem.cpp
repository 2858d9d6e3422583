#include "echelon/problem/problem.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "echelon/core/error.hpp"
#include "echelon/core/parallel.hpp"
#include "echelon/core/trace.hpp"

namespace echelon {

namespace {

ConstVector column(const AgentView& block, int local) {
  return {block.data() + local * block.outerStride(), block.rows()};
}

ConstVector column(const AgentView* block, int local) {
  if (block == nullptr) return {nullptr, 0};
  return column(*block, local);
}

Vector column(AgentView* block, int local) {
  if (block == nullptr) return {nullptr, 0};
  return {block->data() + local * block->outerStride(), block->rows()};
}

AgentProduct agent_product(const ProductPoint& point, int local) {
  return {column(point.x, local),  column(point.y, local),  column(point.v, local),
          column(point.hv, local), column(point.jv, local), column(point.gx, local),
          column(point.gy, local)};
}

void clear(const ProductPoint& point, int local) {
  if (point.hv != nullptr) point.hv->col(local).setZero();
  if (point.jv != nullptr) point.jv->col(local).setZero();
}

double difference_width(const DifferenceStep& rule, const ConstVector& y, double norm_v) {
  switch (rule.rule) {
    case DifferenceStep::Rule::capped:
      return rule.step / std::max(1.0, norm_v);
    case DifferenceStep::Rule::absolute:
      return rule.step;
    case DifferenceStep::Rule::relative:
      break;
  }
  const double scale = y.size() == 0 ? 1.0 : 1.0 + y.lpNorm<Eigen::Infinity>();
  return rule.step * scale / std::max(norm_v, std::numeric_limits<double>::min());
}

const FeasibleSet& whole_space() {
  static const FeasibleSet set;
  return set;
}

}  // namespace

void TikhonovOptions::visit(OptionVisitor& visitor) {
  visitor("tikhonov", weight, at_least(0),
          "methods descend on g + (mu_k / 2) |y|^2, mu_k = this (k + 1)^-tikhonov_decay, for lower "
          "levels without a unique minimizer; reports are of g");
  visitor("tikhonov_decay", decay, at_least(0), "how fast mu_k falls; 0 = constant, a bias");
}

double TikhonovOptions::at(std::uint64_t iteration) const {
  return weight * std::pow(static_cast<double>(iteration) + 1, -decay);
}

BilevelProblem::BilevelProblem(AgentSet agents) : agents_(std::move(agents)) {}

double BilevelProblem::ridge_of(Level level, const Sample& sample) const {
  return level == Level::lower && is_regularized() ? tikhonov_.at(sample.iteration) : 0;
}

template <class Body, class LeaveOut>
int BilevelProblem::each_active(const Body& body, const LeaveOut& leave_out) const {
  const int count = active_ == nullptr ? agents_.count() : static_cast<int>(active_->size());
  const auto agent = [this](int k) {
    return active_ == nullptr ? k : (*active_)[static_cast<std::size_t>(k)];
  };
  parallel_for(count, [&](int k) {
    const int local = agent(k);
    if (active_ != nullptr || takes_part(local)) {
      body(local);
    } else {
      leave_out(local);
    }
  });
  int called = 0;
  for (int k = 0; k < count; ++k) called += active_ != nullptr || takes_part(agent(k)) ? 1 : 0;
  return called;
}

void BilevelProblem::grad_f(const Sample& sample, std::span<const EvaluationPoint> points) {
  gradients(Level::upper, sample, points);
}

void BilevelProblem::grad_g(const Sample& sample, std::span<const EvaluationPoint> points) {
  gradients(Level::lower, sample, points);
}

void BilevelProblem::gradients(Level level, const Sample& sample,
                               std::span<const EvaluationPoint> points) {
  const TraceSpan span("oracle", level == Level::upper ? "gradients of f" : "gradients of g");
  const double ridge = ridge_of(level, sample);
  const int agents = each_active(
      [&](int local) {
        std::vector<AgentPoint> own;
        own.reserve(points.size());
        for (const auto& point : points) {
          own.push_back({column(point.x, local), column(point.y, local), column(point.gx, local),
                         column(point.gy, local)});
        }
        gradient(level, local, sample, own);
        if (ridge == 0) return;
        for (AgentPoint& point : own) {
          if (point.wants_gy()) point.gy += ridge * point.y;
        }
      },
      [&](int local) {
        for (const auto& point : points) {
          if (point.gx != nullptr) point.gx->col(local).setZero();
          if (point.gy != nullptr) point.gy->col(local).setZero();
        }
      });
  counts_.gradients += agents * static_cast<std::int64_t>(points.size());
}

// Hv ~ (grad_y g(x, y + d v) - grad_y g(x, y - d v)) / 2d, and the x-gradients give (d2g/dxdy) v;
// forward: (grad_y g(x, y + d v) - grad_y g(x, y)) / d. v = 0 costs nothing.
std::int64_t BilevelProblem::difference_product(int local, const Sample& sample, AgentProduct at,
                                                const DifferenceStep& step, Level level) const {
  const double norm_v = at.v.norm();
  if (norm_v == 0) {
    if (at.wants_hv()) at.hv.setZero();
    if (at.wants_jv()) at.jv.setZero();
    return 0;
  }
  const double d = difference_width(step, at.y, norm_v);
  const double width = step.forward ? d : 2 * d;
  const VectorXd ahead = at.y + d * at.v;
  const VectorXd behind = step.forward ? VectorXd(at.y) : at.y - d * at.v;
  VectorXd back_x(at.wants_jv() ? at.x.size() : 0);
  VectorXd back_y(at.wants_hv() ? at.y.size() : 0);
  const auto output = [](VectorXd& block, bool wanted) {
    return wanted ? Vector(block.data(), block.size()) : Vector(nullptr, 0);
  };
  const std::array<AgentPoint, 2> pair{
      AgentPoint{at.x, ConstVector(ahead.data(), ahead.size()), at.jv, at.hv},
      AgentPoint{at.x, ConstVector(behind.data(), behind.size()), output(back_x, at.wants_jv()),
                 output(back_y, at.wants_hv())}};
  if (step.forward && at.has_base()) {
    gradient(level, local, sample, std::span(pair).first(1));
    if (at.wants_hv()) back_y = at.gy;
    if (at.wants_jv()) back_x = at.gx;
  } else {
    gradient(level, local, sample, pair);
  }
  if (at.wants_hv()) at.hv = (at.hv - back_y) / width;
  if (at.wants_jv()) at.jv = (at.jv - back_x) / width;
  return step.forward && at.has_base() ? 1 : 2;
}

void BilevelProblem::difference_product(const Sample& sample, const ProductPoint& point,
                                        const DifferenceStep& step, Level level) {
  const TraceSpan span("oracle", "products by differences");
  std::vector<std::int64_t> calls(static_cast<std::size_t>(agents_.count()), 0);
  const double ridge = ridge_of(level, sample);
  each_active(
      [&](int local) {
        AgentProduct own = agent_product(point, local);
        VectorXd base;
        if (ridge > 0 && own.gy.data() != nullptr) {  // the given gradient is that with the ridge
          base = own.gy - ridge * own.y;
          new (&own.gy) ConstVector(base.data(), base.size());
        }
        calls[static_cast<std::size_t>(local)] =
            difference_product(local, sample, own, step, level);
      },
      [&](int local) { clear(point, local); });
  for (const auto count : calls) counts_.gradients += count;
  if (level == Level::lower) add_products_of_ridge(sample, point);
}

/// hv <- hv + mu_k v
void BilevelProblem::add_products_of_ridge(const Sample& sample, const ProductPoint& point) {
  const double ridge = ridge_of(Level::lower, sample);
  if (ridge == 0 || point.hv == nullptr) return;
  each_active([&](int local) { point.hv->col(local) += ridge * point.v.col(local); }, [](int) {});
}

void BilevelProblem::exact_product(const Sample& sample, const ProductPoint& point) {
  counts_.products +=
      each_active([&](int local) { product(local, sample, agent_product(point, local)); },
                  [&](int local) { clear(point, local); });
  add_products_of_ridge(sample, point);
}

void BilevelProblem::values(Level level, const Sample& sample, const AgentView& x,
                            const AgentView& y, AgentView& out) {
  const TraceSpan span("oracle", level == Level::upper ? "values of f" : "values of g");
  const double ridge = ridge_of(level, sample);
  counts_.values += each_active(
      [&](int local) {
        const ConstVector own = column(y, local);
        out(0, local) = value(level, local, sample, column(x, local), own);
        if (ridge > 0) out(0, local) += 0.5 * ridge * own.squaredNorm();
      },
      [](int) {});
}

void BilevelProblem::product(int local, const Sample& sample, const AgentProduct& product) const {
  const auto second = facet<SecondOrder>(local);
  require(
      static_cast<bool>(second), ErrorKind::usage,
      "this problem offers no exact second-order products; choose method.products = difference");
  second.facet->product(second.local, sample, product);
}

std::optional<HessianFactors> BilevelProblem::hessian_factors(int local, const ConstVector& x,
                                                              const ConstVector& y) const {
  const auto factored = facet<FactoredHessian>(local);
  if (!factored) return std::nullopt;
  return factored.facet->hessian_factors(factored.local, x, y);
}

const FeasibleSet& BilevelProblem::upper_set() const {
  const auto* sets = facet<FeasibleSets>();
  return sets == nullptr ? whole_space() : sets->upper_set();
}

const FeasibleSet& BilevelProblem::lower_set() const {
  const auto* sets = facet<FeasibleSets>();
  return sets == nullptr ? whole_space() : sets->lower_set();
}

const LinearConstraints* BilevelProblem::lower_constraints() const {
  const auto* constraints = facet<LowerConstraints>();
  return constraints == nullptr ? nullptr : constraints->lower_constraints();
}

bool BilevelProblem::has_nonsmooth_term() const {
  const auto* term = facet<NonsmoothTerm>();
  return term != nullptr && term->has_nonsmooth_term();
}

void BilevelProblem::lower_prox(double t, const ConstVector& x, Vector y) const {
  const auto* term = facet<NonsmoothTerm>();
  if (term != nullptr) term->lower_prox(t, x, y);
}

std::vector<KnownSolution> BilevelProblem::known_solutions(bool personal) const {
  const auto* known = facet<KnownSolutions>();
  return known == nullptr ? std::vector<KnownSolution>{} : known->known_solutions(personal);
}

std::optional<VectorXd> BilevelProblem::lower_solution(const VectorXd& x) const {
  const auto* solution = facet<LowerSolution>();
  return solution == nullptr ? std::nullopt : solution->lower_solution(x);
}

std::optional<std::uint64_t> BilevelProblem::sub_batch_seed() const {
  const auto* batches = facet<SubBatches>();
  if (batches == nullptr) return std::nullopt;
  return batches->sub_batch_seed();
}

void BilevelProblem::add_metric_sums(int local, const ConstVector& x, const ConstVector& y,
                                     Eigen::Ref<VectorXd> sums) const {
  const auto metrics = facet<Metrics>(local);
  ECHELON_ASSERT(metrics);
  metrics.facet->add_metric_sums(metrics.local, x, y, sums);
}

void BilevelProblem::baseline_gradient(std::size_t baseline, int local, const ConstVector& y,
                                       Vector gy) const {
  const auto baselines = facet<Baselines>(local);
  ECHELON_ASSERT(baselines);
  baselines.facet->baseline_gradient(baseline, baselines.local, y, gy);
}

}  // namespace echelon
