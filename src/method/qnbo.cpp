#include <vector>

#include "echelon/method/products.hpp"
#include "entries.hpp"
#include "quasi_newton.hpp"

namespace echelon::detail {

namespace {

struct QnboOptions {
  std::int64_t warm_up = 2;
  std::int64_t inner_steps = 8;
  std::int64_t extra_steps = 8;
  std::int64_t memory = 8;
  std::string kind = "bfgs";
  double alpha = 0.1;
  double beta = 0.5;
  ProductOptions products;
  StepSchedule schedule;

  void visit(OptionVisitor& visitor) {
    visitor("warm_up", warm_up, at_least(0), "gradient steps of y at each new x (P)");
    visitor("inner_steps", inner_steps, at_least(1), "quasi-Newton steps of y after them (T)");
    visitor(
        "extra_steps", extra_steps, at_least(0),
        "steps on the linear system, which goes on from its last solution (Q); 0: v = B fy with "
        "the pairs of y alone, which is biased");
    visitor("memory", memory, at_least(1), "pairs that B is made of");
    visitor.choice("kind", kind, {"bfgs", "sr1"}, "how B is made of pairs");
    visitor("alpha", alpha, at_least(0), "step of x");
    visitor("beta", beta, at_least(0), "gradient step of y; about .5 / L_g");
    products.visit(visitor);
    schedule.visit(visitor);
  }

  MethodCost cost() const {
    const auto steps = static_cast<double>(warm_up + inner_steps);
    const auto extra = static_cast<double>(extra_steps);
    const double solves = extra > 0 ? extra + 1 : 0;
    MethodCost cost{.y_steps = 0, .q_exact = steps + 1 + 1 + solves, .gradients = steps + 1 + 1};
    products.add_to(cost, solves + 1);
    if (extra_steps > 0) cost.count = MethodCost::Count::at_most;  // products with 0 are free
    return cost;
  }
};

/// Quasi-Newton bilevel optimization, H = d2g/dy2, J = d2g/dydx, B ~ H^-1 from pairs that start
/// anew at each x:
///
///     P times:  y <- y - beta gy
///     T times:  y <- y - B gy,  or - beta gy where |gy| has just grown;   pair (change of y, of
///     gy) e = H v - fy;   Q times:  d = -B e,  t = -e'd / d'Hd,  v <- v + t d,  e <- e + t H d,
///                               pair (t d, t H d)
///     x <- x - alpha (fx - J'v)
///
/// gy, fy and H d are exact means for a shared lower level, so that y, v, and B are the same for
/// all agents whatever the strategy of y.
class Qnbo final : public Method {
 public:
  Qnbo(const MethodContext& context, const QnboOptions& options)
      : problem_(context.problem),
        options_(options),
        products_(context.problem, options.products),
        mean_(context),
        x_(context.upper_variable("x")),
        p_(context.problem.upper_dimension()),
        q_(context.problem.lower_dimension()),
        m_(context.network.agents().count()),
        lower_estimator_(context.make_estimator({q_})),
        inverses_(
            static_cast<std::size_t>(m_),
            QuasiNewton(options.kind == "sr1" ? QuasiNewton::Kind::sr1 : QuasiNewton::Kind::bfgs,
                        options.beta, options.memory)),
        y_(q_, m_),
        v_(q_, m_),
        fx_(p_, m_),
        fy_(q_, m_),
        jv_(p_, m_),
        gy_(q_, m_),
        last_gy_(q_, m_),
        step_(q_, m_),
        image_(q_, m_) {
    y_.colwise() = context.problem.start_y();
  }

  void iterate(std::uint64_t k) override {
    solve_lower(k, options_.beta * options_.schedule.lower(k));
    const Sample sample{.iteration = k, .step = steps() + 1};
    problem_.grad_f(sample, {{x_, y_, &fx_, &fy_}});
    mean_(fy_);
    if (options_.extra_steps == 0) {
      each_agent([&](int i, const QuasiNewton& inverse) {
        v_.col(i) = fy_.col(i);
        inverse.apply(v_.col(i));
      });
    } else {
      solve_system(sample);
    }
    products_(sample, {x_, y_, v_, nullptr, &jv_});
    x_.descend(options_.alpha * options_.schedule.upper(k), fx_ - jv_);
  }

  const AgentView& x() override { return x_; }
  const AgentView& y() override { return y_; }

  void visit_state(StateVisitor& visitor) override {
    visitor.within("x", x_);
    visitor.per_agent("y", y_);
    visitor.per_agent("v", v_);
    visitor.within("lower_estimator", *lower_estimator_);
  }

 private:
  std::uint32_t steps() const {
    return static_cast<std::uint32_t>(options_.warm_up + options_.inner_steps);
  }

  template <class Body>
  void each_agent(const Body& body) {
    parallel_for(m_, [&](int i) { body(i, inverses_[static_cast<std::size_t>(i)]); });
  }

  void find_lower_gradient(std::uint64_t k, std::uint32_t t) {
    const Oracle oracle = [&](const Sample& sample, OraclePoint at, OracleOutputs out) {
      problem_.grad_g(sample, {{*at[0], *at[1], nullptr, out[0]}});
    };
    lower_estimator_->estimate({.iteration = k, .step = t}, {&x_.value(), &y_}, oracle, {&gy_});
    mean_(gy_);
  }

  void solve_lower(std::uint64_t k, double beta) {
    each_agent([&](int, QuasiNewton& inverse) { inverse.clear(); });
    const auto warm_up = static_cast<std::uint32_t>(options_.warm_up);
    find_lower_gradient(k, 0);
    last_gy_.copy_from(gy_);
    for (std::uint32_t t = 0; t < steps(); ++t) {
      each_agent([&](int i, const QuasiNewton& inverse) {
        const bool has_grown = gy_.col(i).norm() > last_gy_.col(i).norm();
        step_.col(i) = gy_.col(i);
        if (t < warm_up || has_grown) {
          step_.col(i) *= -beta;
        } else {
          inverse.apply(step_.col(i));
          step_.col(i) *= -1;
        }
        y_.col(i) += step_.col(i);
      });
      swap(last_gy_, gy_);
      find_lower_gradient(k, t + 1);
      if (t < warm_up) continue;
      each_agent([&](int i, QuasiNewton& inverse) {
        inverse.add(step_.col(i), gy_.col(i) - last_gy_.col(i));
      });
    }
  }

  /// v goes on from the last one; gy_ holds e.
  void solve_system(const Sample& sample) {
    AgentMatrix& residual = gy_;
    products_(sample, {x_, y_, v_, &residual, nullptr});
    mean_(residual);
    residual -= fy_;
    for (std::int64_t j = 0; j < options_.extra_steps; ++j) {
      each_agent([&](int i, const QuasiNewton& inverse) {
        step_.col(i) = -residual.col(i);
        inverse.apply(step_.col(i));
      });
      products_(sample, {x_, y_, step_, &image_, nullptr});
      mean_(image_);
      each_agent([&](int i, QuasiNewton& inverse) {
        const double curvature = step_.col(i).dot(image_.col(i));
        if (!(curvature > 0)) return;
        const double length = -residual.col(i).dot(step_.col(i)) / curvature;
        v_.col(i) += length * step_.col(i);
        residual.col(i) += length * image_.col(i);
        inverse.add(length * step_.col(i), length * image_.col(i));
      });
    }
  }

  BilevelProblem& problem_;
  QnboOptions options_;
  Products products_;
  ExactMean mean_;
  ConsensusVariable x_;
  Index p_, q_;
  int m_;
  std::unique_ptr<GradientEstimator> lower_estimator_;
  std::vector<QuasiNewton> inverses_;  ///< of each local agent
  AgentMatrix y_, v_, fx_, fy_, jv_, gy_, last_gy_, step_, image_;
};

}  // namespace

static MethodEntry qnbo_entry() {
  MethodEntry entry{
      .name = "qnbo",
      .summary = "quasi-Newton steps of the lower level, and their pairs for the linear system",
      .formula =
          "P times: y <- y - beta gy;  T times: y <- y - B gy;  Q times: v <- v - t B (H v - fy);  "
          "x <- x - alpha (fx - J^T v)",
      .reference = "S. Fang et al. (qNBO), ICLR 2025, arXiv:2502.01076",
      .assumes = "lower level strongly convex; its quantities are exact means whatever consensus.y",
      .fails =
          "without extra_steps v is biased as soon as q exceeds the useful pairs; where the lower "
          "level has more than one minimizer, as all implicit methods",
      .serves = {},
      .uses_products = true,
      .means_first = false};
  bind<Qnbo>(entry, QnboOptions{});
  return entry;
}

std::vector<MethodEntry> qnbo_parts() {
  return {qnbo_entry()};
}

}  // namespace echelon::detail
