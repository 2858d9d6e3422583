#include "parts.hpp"

namespace outside {

namespace {

using namespace echelon;

struct ShiftedMeanOptions {
  std::int64_t dimension = 5;
  double weight = 0.1;

  void visit(OptionVisitor& visitor) {
    visitor("dimension", dimension, between(1, 1e6), "length of x and of y");
    visitor("weight", weight, at_least(0), "w in the upper level's w/2 |x|^2");
  }
};

/// g_i = 1/2 |y - x - a_i|^2,  f_i = 1/2 |y|^2 + w/2 |x|^2, so that y*(x) = x + mean a and
/// x* = -mean a / (1 + w).
class ShiftedMean final : public AgentwiseProblem {
 public:
  ShiftedMean(AgentSet agents, const ShiftedMeanOptions& options, std::uint64_t seed)
      : AgentwiseProblem(std::move(agents), options.dimension, options.dimension),
        weight_(options.weight),
        seed_(seed) {}

  double f(AgentId, const ConstVector& x, const ConstVector& y) const override {
    return 0.5 * y.squaredNorm() + 0.5 * weight_ * x.squaredNorm();
  }
  double g(AgentId agent, const ConstVector& x, const ConstVector& y) const override {
    return 0.5 * (y - x - shift(agent)).squaredNorm();
  }
  void grad_f(AgentId, const Sample&, const ConstVector& x, const ConstVector& y, VectorXd& gx,
              VectorXd& gy) const override {
    gx = weight_ * x;
    gy = y;
  }
  void grad_g(AgentId agent, const Sample&, const ConstVector& x, const ConstVector& y,
              VectorXd& gx, VectorXd& gy) const override {
    gy = y - x - shift(agent);
    gx = -gy;
  }

 private:
  VectorXd shift(AgentId agent) const {
    Draws draws(seed_, Purpose::problem_data, agent);
    VectorXd a(upper_dimension());
    for (Index k = 0; k < a.size(); ++k) a(k) = draws.normal();
    return a;
  }

  double weight_;
  std::uint64_t seed_;
};

}  // namespace

ProblemEntry shifted_mean() {
  return problem_part<ShiftedMean, ShiftedMeanOptions>(
      {.name = "shifted-mean",
       .summary = "the mean of the agents' vectors, shifted toward 0",
       .formula = "g_i = 1/2 |y - x - a_i|^2,  f_i = 1/2 |y|^2 + w/2 |x|^2"});
}

}  // namespace outside
