#include "echelon/problem/agentwise.hpp"

namespace echelon {

double AgentwiseProblem::value(Level level, int local, const Sample&, const ConstVector& x,
                               const ConstVector& y) const {
  const AgentId agent = agents().local[static_cast<std::size_t>(local)];
  return level == Level::upper ? f(agent, x, y) : g(agent, x, y);
}

void AgentwiseProblem::gradient(Level level, int local, const Sample& sample,
                                std::span<const AgentPoint> points) const {
  const AgentId agent = agents().local[static_cast<std::size_t>(local)];
  VectorXd gx(p_);
  VectorXd gy(q_);
  for (AgentPoint point : points) {
    if (level == Level::upper) {
      grad_f(agent, sample, point.x, point.y, gx, gy);
    } else {
      grad_g(agent, sample, point.x, point.y, gx, gy);
    }
    if (point.wants_gx()) point.gx = gx;
    if (point.wants_gy()) point.gy = gy;
  }
}

}  // namespace echelon
