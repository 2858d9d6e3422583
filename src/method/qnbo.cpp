#include <vector>

#include "echelon/method/terms.hpp"
#include "quasi_newton.hpp"
#include "step_options.hpp"

namespace echelon::detail {

namespace {

struct QnboOptions : StepSizes {
  std::int64_t warm_up = 2, inner_steps = 8, extra_steps = 8, memory = 8;
  std::string kind = "bfgs";
  ProductOptions products;

  void visit(OptionVisitor& visitor) {
    visitor("warm_up", warm_up, at_least(0), "gradient steps of y at each new x (P)");
    visitor("inner_steps", inner_steps, at_least(1), "quasi-Newton steps of y after them (T)");
    visitor("extra_steps", extra_steps, at_least(0),
            "steps on the linear system, from its last solution on (Q); 0: v = B fy with the pairs "
            "of y alone, which is biased");
    visitor("memory", memory, at_least(1), "pairs that B is made of");
    visitor.choice("kind", kind, {"bfgs", "sr1"}, "how B is made of pairs");
    StepSizes::visit(visitor);
    products.visit(visitor);
  }

  /// Products with 0 are free.
  Varies varies() const { return extra_steps > 0 ? Varies::at_most : Varies::exact; }
  QuasiNewton inverse() const {
    return {kind == "sr1" ? QuasiNewton::Kind::sr1 : QuasiNewton::Kind::bfgs, beta, memory};
  }
};

/// Quasi-Newton bilevel optimization, H = d2g/dy2, J = d2g/dydx, B ~ H^-1 from pairs that start
/// anew at each x:
///
///     P times:  y <- y - beta gy
///     T times:  y <- y - B gy,  or - beta gy where |gy| has just grown;   pair (change of y, of
///               gy)
///     e = H v - fy;   Q times:  d = -B e,  t = -e'd / d'Hd,  v <- v + t d,  e <- e + t H d,
///                               pair (t d, t H d)
///     x <- x - alpha (fx - J'v)
///
/// gy, fy and H d are exact means for a shared lower level, so that y, v, and B are the same for
/// all agents whatever the strategy of y.
class Qnbo final : public ComposedMethod<QnboOptions> {
 public:
  Qnbo(const MethodContext& its_context, const QnboOptions& its_options)
      : ComposedMethod(its_context, its_options) {
    y.colwise() = problem.start_y();
    report_y(y);
  }

  void iterate(std::uint64_t k) override {
    const Steps steps{k, options.warm_up + options.inner_steps + 1};
    solve_lower(steps, options.lower(k));
    upper(steps.next());
    mean(fy);
    if (options.extra_steps == 0) {
      each_agent([&](int i, const QuasiNewton& inverse) {
        v.col(i) = fy.col(i);
        inverse.apply(v.col(i));
      });
    } else {
      solve_system(steps.next());
    }
    cross(steps.next());
    x.descend(options.upper(k), fx - jv);
  }

 private:
  template <class Body>
  void each_agent(const Body& body) {
    parallel_for(m, [&](int i) { body(i, inverses[static_cast<std::size_t>(i)]); });
  }

  void solve_lower(const Steps& steps, double beta) {
    each_agent([&](int, QuasiNewton& inverse) { inverse.clear(); });
    for (const Sample& sample : steps) {
      lower(sample);
      mean(gy);
      if (sample.step > options.warm_up) {
        each_agent([&](int i, QuasiNewton& inverse) {
          inverse.add(d.col(i), gy.col(i) - last_gy.col(i));
        });
      }
      if (sample.step == options.warm_up + options.inner_steps) return;
      if (sample.step == 0) last_gy.copy_from(gy);
      each_agent([&](int i, const QuasiNewton& inverse) {
        const bool has_grown = gy.col(i).norm() > last_gy.col(i).norm();
        d.col(i) = gy.col(i);
        if (sample.step < options.warm_up || has_grown) {
          d.col(i) *= -beta;
        } else {
          inverse.apply(d.col(i));
          d.col(i) *= -1;
        }
        y.col(i) += d.col(i);
      });
      last_gy.copy_from(gy);
    }
  }

  /// v goes on from the last one.
  void solve_system(const Sample& sample) {
    residual(sample);
    mean(e);
    e -= fy;
    for (std::int64_t j = 0; j < options.extra_steps; ++j) {
      each_agent([&](int i, const QuasiNewton& inverse) {
        d.col(i) = -e.col(i);
        inverse.apply(d.col(i));
      });
      image(sample);
      mean(hd);
      each_agent([&](int i, QuasiNewton& inverse) {
        const double curvature = d.col(i).dot(hd.col(i));
        if (!(curvature > 0)) return;
        const double length = -e.col(i).dot(d.col(i)) / curvature;
        v.col(i) += length * d.col(i);
        e.col(i) += length * hd.col(i);
        inverse.add(length * d.col(i), length * hd.col(i));
      });
    }
  }

  Upper x{*this, "x"};
  Carried y{*this, "y", q}, v{*this, "v", q};
  Products products{problem, options.products};
  ExactMean mean{context};
  std::vector<QuasiNewton> inverses{static_cast<std::size_t>(m), options.inverse()};  // of agents
  Block d{q, m}, last_gy{q, m};
  Gradient gy = dg_dy(x, y), fx = df_dx(x, y), fy = df_dy(x, y);
  Product e = hessian_times(products, x, y, v);  // H v, then the residual
  Product hd = hessian_times(products, x, y, d), jv = cross_times(products, x, y, v);
  Together lower{*this, {&gy}};
  Direct upper{*this, {&fx, &fy}}, residual{*this, {&e}}, image{*this, {&hd}}, cross{*this, {&jv}};
};

}  // namespace

std::vector<MethodEntry> qnbo_parts() {
  return {method_entry<Qnbo>(
      {.name = "qnbo",
       .summary = "quasi-Newton steps of the lower level, and their pairs for the linear system",
       .formula = "P times: y <- y - beta gy;  T times: y <- y - B gy;  "
                  "Q times: v <- v - t B (H v - fy);  x <- x - alpha (fx - J^T v)",
       .reference = "S. Fang et al. (qNBO), ICLR 2025, arXiv:2502.01076",
       .assumes =
           "lower level strongly convex; its quantities are exact means whatever consensus.y",
       .fails = "without extra_steps v is biased as soon as q exceeds the useful pairs; where the "
                "lower level has more than one minimizer, as all implicit methods",
       .uses_products = true})};
}

}  // namespace echelon::detail
