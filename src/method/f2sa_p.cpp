#include <deque>
#include <vector>

#include "echelon/core/parallel.hpp"
#include "echelon/method/terms.hpp"
#include "step_options.hpp"

namespace echelon::detail {

namespace {

/// Node j of a difference formula, and its weight c_j.
struct Node {
  int j;
  double weight;
};

/// Nodes of the formula dG/dnu(0) = sum_j c_j G(j nu) / nu + O(nu^order): around 0, one more to the
/// right if their number is odd. Weights are derivatives of the Lagrange polynomials at 0, which
/// for an even order leave node 0 out.
std::vector<Node> stencil(std::int64_t order) {
  const int right = static_cast<int>(order + 1) / 2;
  const int left = right - static_cast<int>(order % 2);
  std::vector<Node> nodes;
  for (int j = -left; j <= right; ++j) {
    double weight = j == 0 ? 0 : 1.0 / j;
    for (int other = -left; other <= right; ++other) {
      if (other == 0 || other == j) continue;
      if (j == 0) weight -= 1.0 / other;
      if (j != 0) weight *= static_cast<double>(other) / (other - j);
    }
    if (j != 0 || left != right) nodes.push_back({j, weight});
  }
  return nodes;
}

struct F2saPOptions : NestedSteps {
  F2saPOptions() { alpha = 0.2; }
  std::int64_t order = 2;
  double nu = 1e-3;
  bool normalize = false;
  std::string restart = "carried";

  void visit(OptionVisitor& visitor) {
    visitor("order", order, between(1, 10),
            "p; the bias of x is about nu^p, at p nodes (odd p: p + 1)");
    visitor("nu", nu, above(0), "distance of the nodes; below 2 mu / (p L_f)");
    NestedSteps::visit(visitor);
    visitor("normalize", normalize, "x steps by alpha along direction / |mean direction|");
    visitor.choice("restart", restart, {"carried", "average"},
                   "where y_j starts at each iteration: where it was, or at the average of the "
                   "nodes (loses the solution; for study)");
  }

  bool carried() const { return restart == "carried"; }
};

/// F = min over y of nu f + g, differentiated in nu at 0 by a difference formula with nodes j and
/// weights c_j; one lower copy y_j -> argmin over y of j nu f(x, y) + g(x, y) for each node:
///
///     repeat T times, all j:  y_j <- y_j - beta (j nu grad_y f(x, y_j) + grad_y g(x, y_j))
///     D = sum_j c_j (j nu grad_x f(x, y_j) + grad_x g(x, y_j)) / nu
///     x <- x - alpha D     or, normalized,     x <- x - alpha D / |mean D|
///
/// Order 2: nodes -1, 1, weights -1/2, 1/2. y is reported as the average of the y_j. Each y_j goes
/// on from itself: what is missing of its convergence then cancels in the limit, and does not if
/// all start from one point.
class F2saP final : public ComposedMethod<F2saPOptions> {
 public:
  F2saP(const MethodContext& its_context, const F2saPOptions& its_options)
      : ComposedMethod(its_context, its_options) {
    if (options.normalize) {
      x.use(make_step_rule({step_rule_catalog(), "normalized"},
                           {network, "x", StepRule::Place::upper}));
    }
    if (!options.carried()) {
      paths.front().y.require_mappable("copies restart at their average");
    }
  }

  void iterate(std::uint64_t k) override {
    const Steps steps{k, options.inner_steps};
    if (!options.carried()) {
      average();
      for (Path& path : paths) path.y.restart(mean_y);
    }
    for (const Sample& step : steps) {
      inner(step);
      for (Path& path : paths) path.y.descend(options.lower(k), path.dy);
    }
    outer(steps.next());
    x.descend(options.upper(k), dx);
  }

  const AgentView& y() override {
    average();
    return mean_y;
  }

 private:
  /// Of one node; fx and fy of node 0 stay 0, and dy is grad_y g first.
  struct Path {
    Path(F2saP& method, const Node& its_node)
        : node(its_node),
          y(method, text("y", node.j)),
          fx(df_dx(method.x, y)),
          fy(df_dy(method.x, y)),
          gx(dg_dx(method.x, y)),
          dy(dg_dy(method.x, y)) {}
    Node node;
    Lower y;
    Gradient fx, fy, gx, dy;
  };

  std::deque<Path> paths_of_nodes() {
    std::deque<Path> result;
    for (const Node& node : stencil(options.order)) result.emplace_back(*this, node);
    return result;
  }

  void average() {
    parallel_for(m, [&](int i) {
      mean_y.col(i) = paths[0].y.value().col(i);
      for (std::size_t n = 1; n < paths.size(); ++n) mean_y.col(i) += paths[n].y.value().col(i);
      mean_y.col(i) /= static_cast<double>(paths.size());
    });
  }

  /// dy_j = j nu grad_y f + grad_y g, all nodes in one pass over the data.
  void find_lower_directions(const Evaluation& call) {
    lower_gradients(call);
    parallel_for(m, [&](int i) {
      for (Path& path : paths) {
        call.into(path.dy).col(i) += path.node.j * options.nu * path.fy.col(i);
      }
    });
  }

  void find_upper_direction(const Evaluation& call) {
    upper_gradients(call);
    AgentView& direction = call.into(dx);
    parallel_for(m, [&](int i) {
      direction.col(i).setZero();
      for (const Path& path : paths) {
        direction.col(i) += path.node.weight * path.node.j * path.fx.col(i);
        direction.col(i) += path.node.weight / options.nu * path.gx.col(i);
      }
    });
  }

  /// `of_f` and `of_g` of all nodes; node 0 does not need f.
  std::vector<Term*> terms(Gradient Path::*of_f, Gradient Path::*of_g) {
    std::vector<Term*> result;
    for (Path& path : paths) {
      if (path.node.j != 0) result.push_back(&(path.*of_f));
      result.push_back(&(path.*of_g));
    }
    return result;
  }
  Evaluation::Variables point() {
    Evaluation::Variables result{&x.value()};
    for (Path& path : paths) result.push_back(&path.y.value());
    return result;
  }
  std::vector<AgentView*> directions() {
    std::vector<AgentView*> result;
    for (Path& path : paths) result.push_back(&path.dy);
    return result;
  }

  Upper x{*this, "x"};
  std::deque<Path> paths = paths_of_nodes();
  Block mean_y{q, m}, dx{p, m};
  Direct lower_gradients{*this, terms(&Path::fy, &Path::dy)};
  Direct upper_gradients{*this, terms(&Path::fx, &Path::gx)};
  Together inner{
      *this, {.outputs = directions(), .at = point(), .evaluate = [this](const Evaluation& call) {
                find_lower_directions(call);
              }}};
  Together outer{*this,
                 {.outputs = {&dx}, .at = point(), .evaluate = [this](const Evaluation& call) {
                    find_upper_direction(call);
                  }}};
};

}  // namespace

std::vector<MethodEntry> f2sa_p_parts() {
  return {method_entry<F2saP>(
      {.name = "f2sa-p",
       .summary = "fully first-order, value function differentiated by a formula of order p; p = 2 "
                  "costs what f2ba does",
       .formula = "T times: y_j <- y_j - beta (j nu fy(x,y_j) + gy(x,y_j));  "
                  "x <- x - alpha sum_j c_j (j nu fx(x,y_j) + gx(x,y_j)) / nu",
       .reference = "L. Chen, J. Li, M. Chayti, J. Zhang, ICLR 2026, arXiv:2509.02937",
       .assumes = "lower level strongly convex, nu below 2 mu / (p L_f); x is biased by about nu^p",
       .fails = "diverges where the lower level has flat directions: j nu f + g of a negative node "
                "j has no minimizer there (order 1 has none)",
       .serves = {.set = true},
       .uses_products = true})};  // differences over nu are as sensitive to rounding
}

}  // namespace echelon::detail
