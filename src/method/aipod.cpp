#include <Eigen/QR>
#include <memory>

#include "curvature.hpp"
#include "echelon/core/parallel.hpp"
#include "echelon/method/terms.hpp"
#include "step_options.hpp"

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

struct AipodOptions : NestedSteps {
  std::int64_t cg_steps = 20, project_period = 1;
  ProductOptions products;
  bool shift = true;

  AipodOptions() {
    inner_steps = 5;
    beta = 0.1;
  }

  void visit(OptionVisitor& visitor) {
    NestedSteps::visit(visitor, above(0));
    visitor("cg_steps", cg_steps, at_least(1),
            "steps of conjugate gradients on V'H V in each iteration, started anew");
    products.visit(visitor);
    visitor("project_period", project_period, at_least(1),
            "iterations between projections of x onto its set");
    visitor("shift", shift,
            "correct the direction by what the projections took away; without it x is off by "
            "about alpha project_period");
  }

  Varies varies() const { return Varies::at_most; }  // conjugate gradients stop
  bool projects_each_step() const { return project_period == 1; }
};

/// Alternating implicit projected descent; A y + B x = c in the lower level, x in X.
///
///     T times:  y <- P(y - beta mean grad_y g(x, y)),     P(y) = y - A^+ (A y + B x - c)
///     v = V (V'H V)^-1 V' mean grad_y f       V a basis of Ker A; conjugate gradients
///     D = grad_x f - J'v - (A^+ B)' (grad_y f - H v)        = grad_x f + (dy*/dx)' grad_y f
///     x <- P_X(x - alpha D)
///
/// since dy*/dx = -A^+ B + V (V'H V)^-1 V' (H A^+ B - J). e-aipod projects every T-th step only:
///
///     x <- x - alpha (D - r);   each T-th step:  x+ = P_X(x - alpha T r),
///                               r <- r + (x+ - x) / (alpha T),  x <- x+
class Aipod final : public ComposedMethod<AipodOptions> {
 public:
  Aipod(const MethodContext& its_context, const AipodOptions& its_options)
      : ComposedMethod(its_context, its_options) {
    context.exact_means();  // refuses a personal lower level
    if (!options.projects_each_step()) {
      x.require_mappable(text("it is projected onto ", set.text(), " now and then"));
    }
    y.colwise() = rows.project(problem.start_x(), problem.start_y());
    report_y(y);
  }

  void iterate(std::uint64_t k) override {
    beta = options.lower(k);
    start.copy_from(y);
    hypergradient({.iteration = k});
    x.descend(options.upper(k), D - r);
    const auto period = static_cast<std::uint64_t>(options.project_period);
    if (!options.projects_each_step() && (k + 1) % period == 0) project(k);
  }

 private:
  /// Takes y_t by the steps of one iteration, and writes D. Collective.
  void differentiate(const Evaluation& call) {
    const AgentView& at_x = call.at(x);
    const VectorXd mean_x = lower.mean(at_x);
    VectorXd at = lower.mean(call.at(start));
    for (std::int64_t t = 0; t < options.inner_steps; ++t) {
      at = rows.project(mean_x, at - beta * lower.gradient(call.at_step(t).sample(), at_x, at));
    }
    const Evaluation last = call.at_step(options.inner_steps);
    y_t.colwise() = at;
    upper(last);
    v.colwise() = adjoint(last.sample(), at_x, at);
    second(last);
    AgentView& direction = call.into(D);
    parallel_for(m, [&](int i) {
      direction.col(i) -= jv.col(i) + rows.slope().transpose() * (fy.col(i) - hv.col(i));
    });
    if (call.is_here()) y.copy_from(y_t);
  }

  /// V (V'H V)^-1 V' mean fy, from 0. Once it is found, the steps that are left do nothing.
  VectorXd adjoint(const Sample& sample, const AgentView& at_x, const VectorXd& at_y) {
    const Eigen::MatrixXd& V = rows.kernel();
    VectorXd residual = V.transpose() * lower.mean(fy);
    VectorXd solution = VectorXd::Zero(residual.size());
    VectorXd direction = residual;
    double square = residual.squaredNorm();
    const double goal = 1e-28 * square;
    for (std::int64_t t = 0; t < options.cg_steps; ++t) {
      const VectorXd product =
          V.transpose() * lower.hessian_times(sample, at_x, at_y, V * direction);
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
    for (std::int64_t j = 0; j < options.project_period; ++j) {
      length += options.upper(k - static_cast<std::uint64_t>(j));
    }
    x.map([&](int i, Eigen::Map<VectorXd> column) {
      const VectorXd before = column;
      column -= length * r.col(i);
      set.project(column);
      if (options.shift) r.col(i) += (column - before) / length;
    });
  }

  MeanLowerLevel lower{context, options.products};
  Products products{problem, options.products};
  EqualityRows rows{*problem.lower_constraints()};
  const FeasibleSet set = problem.upper_set();
  double beta = 0;  // of this iteration
  Upper x{*this, "x", options.projects_each_step() ? set : FeasibleSet{}};
  Carried y{*this, "y", q}, r{*this, "shift", p, !options.projects_each_step()};
  Block start{q, m}, y_t{q, m}, v{q, m};
  Gradient D = df_dx(x, y_t), fy = df_dy(x, y_t);
  Product hv = hessian_times(products, x, y_t, v), jv = cross_times(products, x, y_t, v);
  Direct upper{*this, {&D, &fy}}, second{*this, {&hv, &jv}};
  Together hypergradient{*this,
                         {.outputs = {&D},
                          .at = {&x.value(), &start},
                          .evaluate = [this](const Evaluation& call) { differentiate(call); },
                          .collective = true}};
};

MethodEntry aipod() {
  return method_entry<Aipod>(
      {.name = "aipod",
       .summary =
           "implicit gradient of a lower level with linear equalities, both levels projected",
       .formula = "T times: y <- P(y - beta gy);  v = V (V^T H V)^-1 V^T fy, V a basis of Ker A;  "
                  "x <- P_X(x - alpha (fx - J^T v - (A^+ B)^T (fy - H v)))",
       .reference = "Q. Xiao, H. Shen, W. Yin, T. Chen, AISTATS 2023, arXiv:2211.07096",
       .assumes = "lower level strongly convex on Ker A, rows of A independent",
       .fails = "biased where cg_steps are too few for the conditioning of V^T H V",
       .serves = {.equalities = true},
       .uses_products = true});
}

MethodEntry e_aipod() {
  MethodEntry entry = aipod();
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
  entry.options = options;
  return entry;
}

}  // namespace

std::vector<MethodEntry> aipod_parts() {
  return {aipod(), e_aipod()};
}

}  // namespace echelon::detail
