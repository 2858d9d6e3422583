#include "echelon/core/parallel.hpp"
#include "echelon/method/terms.hpp"
#include "step_options.hpp"

namespace echelon::detail {

namespace {

struct FedMsaOptions : TripleSteps {
  std::int64_t local_steps = 5;
  ProductOptions products;

  FedMsaOptions() {
    alpha = 0.05;
    beta = gamma = 0.1;
  }

  void visit(OptionVisitor& visitor) {
    TripleSteps::visit(visitor);
    visitor("local_steps", local_steps, at_least(1),
            "steps of a round; from the second on, agents follow changes of their own gradients");
    products.visit(visitor);
  }
};

/// A point S = (x, y, v) of each agent, or a step between two.
struct Triple {
  explicit Triple(const MethodBase& method)
      : x(method.p, method.m), y(method.q, method.m), v(method.q, method.m) {}
  Block x, y, v;
};

/// D(S) = (grad_x f - J'v, grad_y g, H v - grad_y f) of each agent at S = (x, y, v), with
/// H = d2g/dy2 and J = d2g/dydx.
struct Direction {
  Direction(MethodBase& method, const Products& products, const AgentView& at_x,
            const AgentView& at_y, const AgentView& at_v)
      : x(df_dx(at_x, at_y)),
        fy(df_dy(at_x, at_y)),
        y(dg_dy(at_x, at_y)),
        v(hessian_times(products, at_x, at_y, at_v)),
        jv(cross_times(products, at_x, at_y, at_v)),
        terms(method, {&x, &fy, &y, &v, &jv}) {}

  void operator()(const Sample& sample) {
    terms(sample);
    combine(x, v);
  }
  void operator()(const Evaluation& call) {
    terms(call);
    combine(call.into(x), call.into(v));
  }

  Gradient x, fy, y;
  Product v, jv;

 private:
  void combine(AgentView& of_x, AgentView& of_v) {
    parallel_for(static_cast<int>(of_x.cols()), [&](int i) {
      of_x.col(i) -= jv.col(i);
      of_v.col(i) -= fy.col(i);
    });
  }

  Direct terms;
};

/// Rounds of local steps from the server's direction. With S = (x, y, v):
///
///     d <- mean of all agents' D(S), each by its estimator (the paper's has momentum that follows
///     the point: STORM)
///     S_1 = S - a d;    t = 1 .. tau - 1:   d <- d + D(S_t) - D(S_{t-1});   S_{t+1} = S_t - a d
///     S <- mean of the agents' S_tau
///
/// a = (alpha, beta, gamma) for the three parts. Both means are those of
/// MethodContext::mean_tracker. At a point where the mean of D vanishes no agent moves, however
/// much agents differ.
class FedMsa final : public ComposedMethod<FedMsaOptions> {
 public:
  using ComposedMethod::ComposedMethod;

  void iterate(std::uint64_t k) override {
    server({.iteration = k});
    directions.update();
    d.x = directions(start.x);
    d.y = directions(start.y);
    d.v = directions(start.v);
    last.x.copy_from(x);
    last.y.copy_from(y);
    last.v.copy_from(v);
    step(k);
    for (const Sample& sample : Steps(k, options.local_steps - 1, 1)) {
      at_now(sample);
      at_last(sample);
      d.x += at_now.x - at_last.x;
      d.y += at_now.y - at_last.y;
      d.v += at_now.v - at_last.v;
      last.x.copy_from(now.x);
      last.y.copy_from(now.y);
      last.v.copy_from(now.v);
      step(k);
    }
    change.x = x.value() - now.x;
    change.y = y.value() - now.y;
    change.v = v.value() - now.v;
    changes.update();
    x.descend(1, changes(change.x));
    y.descend(1, changes(change.y));
    v.descend(1, changes(change.v));
  }

 private:
  void step(std::uint64_t k) {
    now.x = last.x - options.upper(k) * d.x;
    now.y = last.y - options.lower(k) * d.y;
    now.v = last.v - options.auxiliary(k) * d.v;
  }

  UpperOfMeans x{*this, "x"};
  LowerOfMeans y{*this, "y"};
  AuxiliaryOfMeans v{*this, "v"};
  Products products{problem, options.products};
  Triple now{*this}, last{*this}, d{*this}, change{*this};
  Direction start{*this, products, x, y, v};
  Direction at_now{*this, products, now.x, now.y, now.v};
  Direction at_last{*this, products, last.x, last.y, last.v};
  Means directions{*this, "direction", {&start.x, &start.y, &start.v}};
  Means changes{*this, "change", {&change.x, &change.y, &change.v}};
  Together server{*this,
                  {.outputs = {&start.x, &start.y, &start.v},
                   .at = {&x.value(), &y.value(), &v.value()},
                   .evaluate = [this](const Evaluation& call) { start(call); }}};
};

}  // namespace

std::vector<MethodEntry> fedmsa_parts() {
  return {method_entry<FedMsa>(
      {.name = "fedmsa",
       .summary = "rounds of local steps on the linear system that start along the mean direction "
                  "of all agents and follow changes of the agents' own gradients",
       .formula = "D = (fx - J^T v, gy, H v - fy) at S = (x,y,v);  d <- mean D(S);  S_1 = S - a d; "
                  " tau - 1 times: d <- d + D(S_t) - D(S_{t-1}), S_{t+1} = S_t - a d;  "
                  "S <- mean S_tau",
       .reference = "D. A. Tarzanagh, M. Li, P. Sharma, S. Oymak, 2023, arXiv:2306.01648",
       .assumes = "lower level strongly convex",
       .fails = "stops at a wrong point where the lower level has more than one minimizer",
       .uses_products = true,
       .means_first = true})};
}

}  // namespace echelon::detail
