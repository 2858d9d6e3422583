// A problem of your own: the weight decay e^x of ridge regression, chosen by validation. Agent i
// holds m training and m validation samples (A_i, b_i), (V_i, c_i) that nobody else sees.
//     f_i(x, y) = 1/(2m) |V_i y - c_i|^2        g_i(x, y) = 1/(2m) |A_i y - b_i|^2 + e^x/2 |y|^2
#include <mpi.h>

#include <cstdio>
#include <echelon/echelon.hpp>
#include <map>

using namespace echelon;

class RidgeDecay : public AgentwiseProblem {
 public:
  explicit RidgeDecay(AgentSet agents) : AgentwiseProblem(std::move(agents), 1, features) {
    for (const AgentId agent : this->agents().local) {  // yours would be read from a file
      Draws draws(7, Purpose::problem_data, agent);
      const auto normal = [&] { return draws.normal(); };
      for (Set* set : {&training_[agent], &validation_[agent]}) {
        set->A = Eigen::MatrixXd::NullaryExpr(samples, features, normal);
        set->b = set->A * VectorXd::Ones(features) + 2 * VectorXd::NullaryExpr(samples, normal);
      }
    }
  }

  double f(AgentId agent, const ConstVector&, const ConstVector& y) const override {
    return validation_.at(agent).value(y);
  }
  double g(AgentId agent, const ConstVector& x, const ConstVector& y) const override {
    return training_.at(agent).value(y) + std::exp(x(0)) / 2 * y.dot(y);
  }
  void grad_f(AgentId agent, const Sample&, const ConstVector&, const ConstVector& y, VectorXd& gx,
              VectorXd& gy) const override {
    gx(0) = 0;  // f_i does not depend on x
    gy = validation_.at(agent).gradient(y);
  }
  void grad_g(AgentId agent, const Sample&, const ConstVector& x, const ConstVector& y,
              VectorXd& gx, VectorXd& gy) const override {
    gx(0) = std::exp(x(0)) / 2 * y.dot(y);
    gy = training_.at(agent).gradient(y) + std::exp(x(0)) * y;
  }

 private:
  static constexpr int features = 10, samples = 12;
  struct Set {
    Eigen::MatrixXd A;
    VectorXd b;
    VectorXd residual(const VectorXd& y) const { return A * y - b; }
    double value(const VectorXd& y) const { return residual(y).squaredNorm() / (2 * samples); }
    VectorXd gradient(const VectorXd& y) const { return A.transpose() * residual(y) / samples; }
  };
  std::map<AgentId, Set> training_, validation_;
};

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  double hypergradient = 0;
  {
    Network network(Communicator(MPI_COMM_WORLD), make_schedule({}));  // a ring of 8 agents
    RidgeDecay problem(network.agents());
    Configuration options;
    options.set("method.alpha", "0.3", "own_problem.cpp");
    const auto method =
        make_method(method_catalog().at("soba"), {problem, network, ConsensusOptions()}, options);
    MetricsOptions metrics;
    metrics.hypergradient = true;
    Evaluator evaluator(problem, network, metrics, false);
    Runner runner(*method, problem, network, evaluator, RunOptions(), metrics);
    Requests requests;
    runner.run(RunHooks(), requests);
    hypergradient = runner.figure("hypergradient_norm");
    const double x = network.mean_for_report(method->x())(0);
    if (network.communicator().rank() == 0)
      std::printf("weight decay %.9f, |grad F| = %.1e\n", std::exp(x), hypergradient);
  }  // nothing of Echelon outlives MPI
  MPI_Finalize();
  return hypergradient < 1e-6 ? 0 : 1;
}
