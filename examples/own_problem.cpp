// A problem of your own: derive from AgentwiseProblem, compose a method by name, run it.
//
// Here: the weight decay e^x of ridge regression, chosen by validation. Agent i holds m training
// and m validation samples (A_i, b_i), (V_i, c_i) that nobody else sees:
//
//     f_i(x, y) = 1/(2m) |V_i y - c_i|^2        g_i(x, y) = 1/(2m) |A_i y - b_i|^2 + e^x/2 |y|^2
//
// own_problem runs alone and under mpirun -n N, with the same digits.
#include <mpi.h>

#include <cstdio>
#include <echelon/echelon.hpp>

using namespace echelon;

class RidgeDecay : public AgentwiseProblem {
 public:
  explicit RidgeDecay(AgentSet agents) : AgentwiseProblem(std::move(agents), 1, features) {}
  VectorXd start_x() const override { return VectorXd::Constant(1, -3.0); }

  double f(AgentId agent, const ConstVector&, const ConstVector& y) const override {
    return residual(agent, 1, y).squaredNorm() / (2 * samples);
  }
  double g(AgentId agent, const ConstVector& x, const ConstVector& y) const override {
    return residual(agent, 2, y).squaredNorm() / (2 * samples) + std::exp(x(0)) / 2 * y.dot(y);
  }
  void grad_f(AgentId agent, const Sample&, const ConstVector&, const ConstVector& y, VectorXd& gx,
              VectorXd& gy) const override {
    gx(0) = 0;
    gy = design(agent, 1).transpose() * residual(agent, 1, y) / samples;
  }
  void grad_g(AgentId agent, const Sample&, const ConstVector& x, const ConstVector& y,
              VectorXd& gx, VectorXd& gy) const override {
    gx(0) = std::exp(x(0)) / 2 * y.squaredNorm();
    gy = design(agent, 2).transpose() * residual(agent, 2, y) / samples + std::exp(x(0)) * y;
  }

 private:
  static constexpr int features = 10, samples = 12;

  // Made up on the spot (set 1 validates, 2 trains). Yours would be read in the constructor, for
  // agents().local only.
  Eigen::MatrixXd design(AgentId agent, std::uint64_t set) const {
    Draws draws(7, Purpose::problem_data, agent, set);
    return Eigen::MatrixXd::NullaryExpr(samples, features, [&] { return draws.normal(); });
  }
  VectorXd residual(AgentId agent, std::uint64_t set, const ConstVector& y) const {
    Draws draws(7, Purpose::problem_data, agent, set + 2);
    const VectorXd noise = VectorXd::NullaryExpr(samples, [&] { return 4 * draws.normal(); });
    return design(agent, set) * (y - VectorXd::Ones(features)) - noise;
  }
};

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  double hypergradient = 0;
  {
    Network network(Communicator(MPI_COMM_WORLD), make_mixing_matrix({}));  // a ring of 8 agents
    RidgeDecay problem(network.agents());
    Configuration options;
    options.set("method.alpha", "1", "own_problem.cpp");
    const auto method =
        find_entry(method_catalog(), "soba", "method").make({problem, network, {}, {}}, options);
    MetricsOptions metrics;
    metrics.hypergradient = true;
    Evaluator evaluator(problem, network, metrics, false);
    Requests requests;
    Runner runner(*method, problem, network, evaluator, RunOptions(), metrics);
    runner.run(RunHooks(), requests);
    hypergradient = runner.table().bottomRows(1)(0, 4);  // columns()[4] is hypergradient_norm
    const double x = network.mean_for_report(method->x())(0);
    if (network.communicator().rank() == 0)
      std::printf("weight decay %.9f, |grad F| = %.1e\n", std::exp(x), hypergradient);
  }  // nothing of Echelon may outlive MPI
  MPI_Finalize();
  return hypergradient < 1e-6 ? 0 : 1;
}
