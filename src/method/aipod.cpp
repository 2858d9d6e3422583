#include <Eigen/QR>
#include <memory>

#include "curvature.hpp"
#include "echelon/core/parallel.hpp"
#include "entries.hpp"

namespace echelon::detail {

namespace {

/// A y + B x = c: all that methods need of it.
class EqualityRows {
 public:
  explicit EqualityRows(const LinearConstraints& rows) : rows_(rows) {
    const Index q = rows.A.cols();
    const Eigen::ColPivHouseholderQR<Eigen::MatrixXd> factors(rows.A.transpose());
    require(factors.rank() == rows.A.rows(), ErrorKind::usage,
            "the equality constraints A y + B x = c of the lower level need linearly independent "
            "rows of A; leave out those that repeat others");
    const Eigen::MatrixXd Q = factors.householderQ() * Eigen::MatrixXd::Identity(q, q);
    kernel_ = Q.rightCols(q - rows.A.rows());
    pseudoinverse_ = rows.A.completeOrthogonalDecomposition().pseudoInverse();
    slope_ = pseudoinverse_ * rows.B;
  }

  /// y - A^+ (A y + B x - c)
  VectorXd project(const VectorXd& x, const VectorXd& y) const {
    return y - pseudoinverse_ * (rows_.A * y + rows_.B * x - rows_.c);
  }
  const Eigen::MatrixXd& kernel() const { return kernel_; }  ///< V2, orthonormal basis of Ker A
  const Eigen::MatrixXd& slope() const { return slope_; }    ///< A^+ B

 private:
  LinearConstraints rows_;
  Eigen::MatrixXd kernel_, pseudoinverse_, slope_;
};

struct AipodOptions {
  std::int64_t inner_steps = 5;
  double alpha = 0.1;
  double beta = 0.1;
  std::int64_t cg_steps = 20;
  ProductOptions products;
  StepSchedule schedule;
  std::int64_t project_period = 1;
  bool shift = true;

  void visit(OptionVisitor& visitor) {
    visitor("inner_steps", inner_steps, at_least(1), "steps of y in each iteration");
    visitor("alpha", alpha, above(0), "step of x");
    visitor("beta", beta, at_least(0), "step of y; about 1 / L_g");
    visitor("cg_steps", cg_steps, at_least(1),
            "conjugate-gradient steps on V'H V in each iteration, started anew");
    products.visit(visitor);
    schedule.visit(visitor);
    visitor("project_period", project_period, at_least(1),
            "iterations between projections of x onto its set");
    visitor("shift", shift,
            "correct the direction by what the projections took away; without it x is off by "
            "about alpha project_period");
  }

  MethodCost cost() const {
    const auto steps = static_cast<double>(inner_steps);
    const auto solves = static_cast<double>(cg_steps);
    MethodCost cost{
        .y_steps = 0, .p_exact = 1, .q_exact = steps + 2 + solves, .gradients = steps + 1};
    products.add_to(cost, solves + 1);
    cost.count = MethodCost::Count::at_most;  // conjugate gradients stop when they have converged
    return cost;
  }
};

/// Alternating implicit projected descent; A y + B x = c in the lower level, x in X.
///
///     T times:  y <- P(y - beta mean grad_y g(x, y)),     P(y) = y - A^+ (A y + B x - c)
///     v = V (V'H V)^-1 V' mean grad_y f                     V a basis of Ker A; conjugate
///     gradients D = grad_x f - J'v - (A^+ B)' (grad_y f - H v)        = grad_x f + (dy*/dx)'
///     grad_y f x <- P_X(x - alpha D)
///
/// since dy*/dx = -A^+ B + V (V'H V)^-1 V' (H A^+ B - J). e-aipod projects every T-th step only:
///
///     x <- x - alpha (D - r);   each T-th step:  x+ = P_X(x - alpha T r),  r <- r + (x+ - x) /
///     (alpha T),  x <- x+
class Aipod final : public Method {
 public:
  Aipod(const MethodContext& context, const AipodOptions& options)
      : problem_(context.problem),
        options_(options),
        lower_(context, options.products),
        products_(context.problem, options.products),
        rows_(*problem_.lower_constraints()),
        set_(problem_.upper_set()),
        x_(options.project_period == 1 ? context.upper_variable("x")
                                       : context.upper_variable("x", FeasibleSet{})),
        m_(context.network.agents().count()),
        estimator_(context.make_estimator({problem_.upper_dimension()},
                                          {problem_.upper_dimension(), problem_.lower_dimension()},
                                          true)),
        y_(problem_.lower_dimension(), m_),
        start_(problem_.lower_dimension(), m_),
        moving_(problem_.lower_dimension(), m_),
        v_(problem_.lower_dimension(), m_),
        direction_(problem_.upper_dimension(), m_),
        jv_(problem_.upper_dimension(), m_),
        fy_(problem_.lower_dimension(), m_),
        hv_(problem_.lower_dimension(), m_),
        shift_(problem_.upper_dimension(), m_) {
    context.exact_means();  // refuses a personal lower level
    if (!projects_each_step()) {
      x_.require_mappable(text("it is projected onto ", set_.text(), " now and then"));
    }
    y_.colwise() = rows_.project(problem_.start_x(), problem_.start_y());
  }

  void iterate(std::uint64_t k) override {
    const double beta = options_.beta * options_.schedule.lower(k);
    start_.copy_from(y_);
    const Oracle oracle = [&](const Sample& sample, OraclePoint at, OracleOutputs out) {
      moving_.copy_from(*at[1]);
      differentiate(sample, beta, *at[0], moving_, *out[0]);
      const bool now = at[0] == &x_.value();  // estimators may ask at earlier points too
      if (now) y_.copy_from(moving_);
    };
    estimator_->estimate({.iteration = k}, {&x_.value(), &start_}, oracle, {&direction_});
    x_.descend(options_.alpha * options_.schedule.upper(k), direction_ - shift_);
    if (!projects_each_step() && (k + 1) % period() == 0) project(k);
  }

  const AgentView& x() override { return x_; }
  const AgentView& y() override { return y_; }

  void visit_state(StateVisitor& visitor) override {
    visitor.within("x", x_);
    visitor.per_agent("y", y_);
    visitor.within("estimator", *estimator_);
    if (!projects_each_step()) visitor.per_agent("shift", shift_);
  }

 private:
  std::uint64_t period() const { return static_cast<std::uint64_t>(options_.project_period); }
  bool projects_each_step() const { return options_.project_period == 1; }

  /// Takes y by the steps of one iteration, and writes D.
  void differentiate(Sample sample, double beta, const AgentView& x, AgentView& y,
                     AgentView& direction) {
    const auto steps = static_cast<std::uint32_t>(options_.inner_steps);
    const VectorXd mean_x = lower_.mean(x);
    VectorXd at = lower_.mean(y);
    for (sample.step = 0; sample.step < steps; ++sample.step) {
      const VectorXd gradient = lower_.gradient(sample, x, at);
      at = rows_.project(mean_x, at - beta * gradient);
    }
    y.colwise() = at;
    problem_.grad_f(sample, {{x, y, &direction, &fy_}});
    v_.colwise() = adjoint(sample, x, at);
    products_(sample, {x, y, v_, &hv_, &jv_});
    parallel_for(m_, [&](int i) {
      direction.col(i) -= jv_.col(i) + rows_.slope().transpose() * (fy_.col(i) - hv_.col(i));
    });
  }

  /// V (V'H V)^-1 V' mean fy, from 0. Once it is found, the steps that are left do nothing.
  VectorXd adjoint(const Sample& sample, const AgentView& x, const VectorXd& y) {
    const Eigen::MatrixXd& V = rows_.kernel();
    VectorXd residual = V.transpose() * lower_.mean(fy_);
    VectorXd solution = VectorXd::Zero(residual.size());
    VectorXd direction = residual;
    double square = residual.squaredNorm();
    const double goal = 1e-28 * square;
    for (std::int64_t t = 0; t < options_.cg_steps; ++t) {
      const VectorXd product = V.transpose() * lower_.hessian_times(sample, x, y, V * direction);
      const double curvature = direction.dot(product);
      if (!(curvature > 0)) {
        direction.setZero();
        continue;
      }
      const double step = square / curvature;
      solution += step * direction;
      residual -= step * product;
      const double next = residual.squaredNorm();
      direction = next <= goal ? VectorXd::Zero(residual.size())
                               : VectorXd(residual + next / square * direction);
      square = next;
    }
    return V * solution;
  }

  /// After the step of iteration k.
  void project(std::uint64_t k) {
    double length = 0;  // alpha T, where steps decay their sum
    for (std::uint64_t j = 0; j < period(); ++j) {
      length += options_.alpha * options_.schedule.upper(k - j);
    }
    x_.map([&](int i, Eigen::Map<VectorXd> x) {
      const VectorXd before = x;
      x -= length * shift_.col(i);
      set_.project(x);
      if (options_.shift) shift_.col(i) += (x - before) / length;
    });
  }

  BilevelProblem& problem_;
  AipodOptions options_;
  MeanLowerLevel lower_;
  Products products_;
  EqualityRows rows_;
  FeasibleSet set_;
  ConsensusVariable x_;
  int m_;
  std::unique_ptr<GradientEstimator> estimator_;
  AgentMatrix y_, start_, moving_, v_, direction_, jv_, fy_, hv_, shift_;
};

}  // namespace

static MethodEntry aipod_entry() {
  MethodEntry entry{
      .name = "aipod",
      .summary = "implicit gradient of a lower level with linear equalities, both levels projected",
      .formula =
          "T times: y <- P(y - beta gy);  v = V (V^T H V)^-1 V^T fy, V a basis of Ker A;  "
          "x <- P_X(x - alpha (fx - J^T v - (A^+ B)^T (fy - H v)))",
      .reference = "Q. Xiao, H. Shen, W. Yin, T. Chen, AISTATS 2023, arXiv:2211.07096",
      .assumes = "lower level strongly convex on Ker A, rows of A independent",
      .fails = "biased where cg_steps are too few for the conditioning of V^T H V",
      .serves = {.equalities = true},
      .uses_products = true,
      .means_first = false};
  bind<Aipod>(entry, AipodOptions{});
  return entry;
}

static MethodEntry e_aipod_entry() {
  MethodEntry entry = aipod_entry();
  entry.name = "e-aipod";
  entry.summary = "aipod that projects x now and then, and corrects its direction for that";
  entry.formula +=
      "; without P_X: x <- x - alpha (D - r), each T-th step x+ = P_X(x - alpha T r), "
      "r <- r + (x+ - x)/(alpha T)";
  entry.fails +=
      "; without the shift r, x is off by about alpha T; between projections x is not "
      "in its set";
  AipodOptions options;
  options.project_period = 5;
  bind<Aipod>(entry, options);
  return entry;
}

std::vector<MethodEntry> aipod_parts() {
  return {aipod_entry(), e_aipod_entry()};
}

}  // namespace echelon::detail
