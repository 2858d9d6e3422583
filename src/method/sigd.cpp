#include "constrained_lower.hpp"
#include "echelon/core/random.hpp"
#include "entries.hpp"

namespace echelon::detail {

namespace {

struct SigdOptions : ConstrainedOptions {
  double alpha = 0.05;
  StepSchedule schedule;

  void visit(OptionVisitor& visitor) {
    visitor("alpha", alpha, at_least(0), "step of x; about .1 / sqrt(run.iterations)");
    ConstrainedOptions::visit(visitor);
    schedule.visit(visitor);
  }
};

/// x <- P(x - alpha D(x)), with one perturbation for all iterations.
class Sigd final : public Method {
 public:
  Sigd(const MethodContext& context, const SigdOptions& options)
      : options_(options),
        x_(context.upper_variable("x")),
        lower_(context, options),
        direction_(context.problem.upper_dimension(), context.network.agents().count()) {}

  void iterate(std::uint64_t k) override {
    lower_.differentiate(k, 0, x_, direction_);
    x_.descend(options_.alpha * options_.schedule.upper(k), direction_);
  }

  const AgentView& x() override { return x_; }
  const AgentView& y() override { return lower_.y(); }

  void visit_state(StateVisitor& visitor) override {
    visitor.within("x", x_);
    visitor.within("y", lower_);
  }

 private:
  SigdOptions options_;
  ConsensusVariable x_;
  ConstrainedLower lower_;
  AgentMatrix direction_;
};

struct DsBloOptions : ConstrainedOptions {
  double momentum = 0.9;
  double norm_weight = 20;
  double norm_offset = 20;
  StepSchedule schedule;

  void visit(OptionVisitor& visitor) {
    visitor("momentum", momentum, between(0, 0.999), "weight of the last direction");
    visitor("norm_weight", norm_weight, at_least(0),
            "gamma_1 of the step 1 / (gamma_1 |m| + gamma_2); x moves at most by 1 / gamma_1");
    visitor("norm_offset", norm_offset, above(0), "gamma_2 of the step");
    ConstrainedOptions::visit(visitor);
    schedule.visit(visitor);
  }

  MethodCost cost() const {
    MethodCost cost = ConstrainedOptions::cost();
    cost.p_exact += 1;
    return cost;
  }
};

/// A fresh perturbation in each iteration, and the gradient at a random point of the last step:
///
///     xbar ~ U[x_old, x];   m <- beta m + (1 - beta) D(xbar);   x <- P(x - m / (gamma_1 |mean m| +
///     gamma_2))
class DsBlo final : public Method {
 public:
  DsBlo(const MethodContext& context, const DsBloOptions& options)
      : options_(options),
        seed_(context.seed),
        network_(context.network),
        x_(context.upper_variable("x")),
        lower_(context, options),
        last_(x_.value().rows(), x_.value().cols()),
        between_(x_.value().rows(), x_.value().cols()),
        direction_(x_.value().rows(), x_.value().cols()),
        m_(x_.value().rows(), x_.value().cols()) {
    last_.copy_from(x_);
  }

  void iterate(std::uint64_t k) override {
    const double share = Draws(seed_, Purpose::perturbation, 0, k, 1).uniform();
    between_ = last_ + share * (x_.value() - last_);
    lower_.differentiate(k, k, between_, direction_);
    m_ = options_.momentum * m_ + (1 - options_.momentum) * direction_;
    VectorXd mean;
    network_.mean(m_, mean);
    const double norm = options_.norm_weight * mean.norm() + options_.norm_offset;
    last_.copy_from(x_);
    x_.descend(options_.schedule.upper(k) / norm, m_);
  }

  const AgentView& x() override { return x_; }
  const AgentView& y() override { return lower_.y(); }

  void visit_state(StateVisitor& visitor) override {
    visitor.within("x", x_);
    visitor.within("y", lower_);
    visitor.per_agent("last_x", last_);
    visitor.per_agent("momentum", m_);
  }

 private:
  DsBloOptions options_;
  std::uint64_t seed_;
  Network& network_;
  ConsensusVariable x_;
  ConstrainedLower lower_;
  AgentMatrix last_, between_, direction_, m_;
};

}  // namespace

static MethodEntry sigd_entry() {
  MethodEntry entry{
      .name = "sigd",
      .summary =
          "implicit gradient of a lower level with linear inequalities, from its active "
          "rows",
      .formula =
          "y* = argmin g(x,y) + <q,y> s.t. A y + B x <= c, active rows (N, E);  "
          "[H N^T; N 0] (v,w) = (fy,0);  x <- P(x - alpha (fx - J^T v - E^T w))",
      .reference =
          "P. Khanduri, I. Tsaknakis, Y. Zhang, J. Liu, S. Liu, J. Zhang, M. Hong, "
          "ICML 2023",
      .assumes = "g convex in y and its solution unique; few lower unknowns (dense matrices)",
      .fails = "jumps between gradients where the active rows change",
      .serves = {.set = true, .inequalities = true},
      .uses_products = true,
      .means_first = false};
  bind<Sigd>(entry, SigdOptions{});
  return entry;
}

static MethodEntry ds_blo_entry() {
  MethodEntry entry = sigd_entry();
  entry.name = "ds-blo";
  entry.summary = "sigd with fresh perturbations, momentum and steps of bounded length";
  entry.formula =
      "D as sigd, at xbar ~ U[x_old, x] and with a new q;  m <- beta m + (1-beta) D;  "
      "x <- P(x - m/(gamma_1 |m| + gamma_2))";
  entry.reference = "P. Khanduri, I. Tsaknakis, Y. Zhang, S. Liu, M. Hong, 2025, arXiv:2504.04545";
  bind<DsBlo>(entry, DsBloOptions{});
  return entry;
}

std::vector<MethodEntry> sigd_parts() {
  return {sigd_entry(), ds_blo_entry()};
}

}  // namespace echelon::detail
