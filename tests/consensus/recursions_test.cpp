// Strategies against what the literature writes down.

#include <gtest/gtest.h>

#include <Eigen/Eigenvalues>
#include <cmath>

#include "echelon/comm/mixer.hpp"
#include "echelon/consensus/variable.hpp"
#include "quadratic_agents.hpp"

namespace echelon {
namespace {

using namespace testing_support;
using Eigen::MatrixXd;

constexpr AgentId agents = 7;

double changing_step(int k) {
  return 0.04 * (1 + 0.3 * std::sin(k));
}

/// S_next = W~ (2 S - S_last) - (a G - a_last G_last), or all of it mixed.
class TwoPointTable {
 public:
  TwoPointTable(MatrixXd mixed_by, bool adapt_first, MatrixXd start)
      : w_(std::move(mixed_by)),
        adapt_first_(adapt_first),
        last_(start),
        value_(std::move(start)) {}

  const MatrixXd& value() const { return value_; }
  void advance(const MatrixXd& direction, double step) {
    const MatrixXd product = step * direction;
    MatrixXd next;
    if (first_) {
      next = adapt_first_ ? MatrixXd(w_ * (value_ - product)) : MatrixXd(w_ * value_ - product);
    } else {
      const MatrixXd change = product - product_;
      next = adapt_first_ ? MatrixXd(w_ * (2 * value_ - last_ - change))
                          : MatrixXd(w_ * (2 * value_ - last_) - change);
    }
    first_ = false;
    product_ = product;
    last_ = value_;
    value_ = next;
  }

 private:
  MatrixXd w_;
  bool adapt_first_;
  bool first_ = true;
  MatrixXd last_, value_, product_;
};

MatrixXd lazy_dense(const MatrixXd& w) {
  return 0.5 * (MatrixXd::Identity(w.rows(), w.cols()) + w);
}

TEST(TwoPointForms, AreTheRecursionsOfTheLiterature) {
  Network network(Communicator(MPI_COMM_WORLD), ring(agents));
  const MatrixXd w = dense(ring(agents));
  for (const bool lazy : {true, false}) {
    for (const std::string name : {"extra", "exact-diffusion"}) {
      ConsensusVariable variable(network, "s", VectorXd::Zero(dimension),
                                 strategy(name, {{"lazy", lazy ? "yes" : "no"}}));
      TwoPointTable table(lazy ? lazy_dense(w) : w, name != "extra",
                          MatrixXd::Zero(agents, dimension));
      for (int k = 0; k < 300; ++k) {
        variable.descend(changing_step(k), directions(network, variable));
        table.advance(all_directions(table.value()), changing_step(k));
        ASSERT_LT(deviation(network, variable, table.value()), 1e-12) << name << " at " << k;
      }
    }
  }
}

TEST(TwoPointForms, KeepTheirMeanOverLongRuns) {
  // Every rank runs all of it: nothing but rounding matters here.
  Network network(Communicator(MPI_COMM_SELF), ring(5));
  const VectorXd target = minimizer(5);
  constexpr int iterations = 60000;
  for (const std::string name : {"extra", "exact-diffusion"}) {
    ConsensusVariable variable(network, "s", VectorXd::Zero(dimension), strategy(name));
    for (int k = 0; k < iterations; ++k) variable.descend(0.05, directions(network, variable));
    const VectorXd mean = network.mean_for_report(variable.value());
    EXPECT_LT((mean - target).norm(), 1e-14) << name;
  }
  TwoPointTable table(lazy_dense(dense(ring(5))), true, MatrixXd::Zero(5, dimension));
  for (int k = 0; k < iterations; ++k) table.advance(all_directions(table.value()), 0.05);
  EXPECT_GT((VectorXd::Ones(5).transpose() * table.value() / 5 - target.transpose()).norm(), 5e-14);
}

/// S <- C S - a A G - B D,  D <- D + B S: five strategies in one.
struct OneEngine {
  std::string name;
  MatrixXd a, b, c;
};

std::vector<OneEngine> engines(const MatrixXd& w) {
  const MatrixXd one = MatrixXd::Identity(w.rows(), w.cols());
  const MatrixXd lazy = lazy_dense(w);
  const Eigen::SelfAdjointEigenSolver<MatrixXd> spectrum(one - lazy);
  const MatrixXd root = spectrum.eigenvectors() *
                        spectrum.eigenvalues().cwiseMax(0).cwiseSqrt().asDiagonal() *
                        spectrum.eigenvectors().transpose();
  return {{"exact-diffusion", lazy, root, lazy},
          {"extra", one, root, lazy},
          {"gt-atc", w * w, one - w, w * w},
          {"gt-semi", w, one - w, w * w},
          {"gt-nonatc", one, one - w, w * w}};
}

/// Sets what gradient tracking remembers as the last direction.
class LastDirection final : public StateVisitor {
 public:
  explicit LastDirection(const AgentMatrix& direction) : direction_(direction) {}

 private:
  void visit(const std::string& name, AgentMatrix& block) override {
    if (name == "last_direction") block.copy_from(direction_);
  }
  void visit(const std::string&, double&) override {}
  void visit(const std::string&, std::int64_t&) override {}
  void visit(const std::string&, MatrixXd&) override {}
  const AgentMatrix& direction_;
};

TEST(Strategies, FiveOfThemAreOneRecursionWithADual) {
  Network network(Communicator(MPI_COMM_WORLD), ring(agents));
  const MatrixXd w = dense(ring(agents));
  constexpr double a = 0.05;
  for (const OneEngine& engine : engines(w)) {
    ConsensusVariable variable(network, "s", VectorXd::Zero(dimension), strategy(engine.name));
    MatrixXd value = MatrixXd::Zero(agents, dimension);
    MatrixXd dual = value;
    for (int k = 0; k < 200; ++k) {
      const AgentMatrix gradient = directions(network, variable);
      if (k == 0 && engine.name == "gt-atc") {  // whose tracker starts at W G here
        AgentMatrix mixed(dimension, network.agents().count());
        network.mixer("g", dimension)(mixed, gradient);
        variable.descend(a, mixed);
        LastDirection last(gradient);
        variable.visit_state(last);
      } else {
        variable.descend(a, gradient);
      }
      value = (engine.c * value - a * engine.a * all_directions(value) - engine.b * dual).eval();
      dual += engine.b * value;
      ASSERT_LT(deviation(network, variable, value), 1e-12) << engine.name << " at " << k;
    }
  }
}

TEST(PushSum, AveragesItsInputsOnAnUnbalancedDigraph) {
  for (const bool fails : {false, true}) {
    Network network(Communicator(MPI_COMM_WORLD),
                    fails ? failing(digraph()) : periodic({digraph()}));
    ConsensusVariable variable(network, "s", VectorXd::Zero(dimension), strategy("push-sum"));
    AgentMatrix input(dimension, network.agents().count());
    for (int i = 0; i < input.cols(); ++i)
      input.col(i) = objective_of(network.agents().local[static_cast<std::size_t>(i)]).center;
    variable.descend(-1, input);
    const AgentMatrix zero(dimension, network.agents().count());
    for (int k = 0; k < 400; ++k) variable.descend(1, zero);
    EXPECT_LT(mean_distance(network, variable, network.mean_for_report(input)), 1e-12) << fails;
  }
}

TEST(PushSum, IsTheRecursionOfTheLiterature) {
  Network network(Communicator(MPI_COMM_WORLD), digraph());
  const MatrixXd c = dense(reweighted(digraph(), Weights::column));
  ConsensusVariable variable(network, "s", VectorXd::Ones(dimension), strategy("push-sum"));
  MatrixXd numerators = MatrixXd::Ones(6, dimension);
  VectorXd masses = VectorXd::Ones(6);
  for (int k = 0; k < 100; ++k) {
    variable.descend(0.05, directions(network, variable));
    const MatrixXd ratio = masses.cwiseInverse().asDiagonal() * numerators;
    numerators = (c * numerators - 0.05 * all_directions(ratio)).eval();
    masses = (c * masses).eval();
    ASSERT_LT(deviation(network, variable, masses.cwiseInverse().asDiagonal() * numerators), 1e-12)
        << k;
  }
}

TEST(PushPull, ReachesTheExactMinimizerOnAnUnbalancedDigraph) {
  for (const char* name : {"push-pull", "push-diging"}) {
    for (const bool fails : {false, true}) {
      Network network(Communicator(MPI_COMM_WORLD),
                      fails ? failing(digraph()) : periodic({digraph()}));
      ConsensusVariable variable(network, "s", VectorXd::Zero(dimension), strategy(name));
      for (int k = 0; k < 2000; ++k) variable.descend(0.05, directions(network, variable));
      EXPECT_LT(mean_distance(network, variable, minimizer(6)), 1e-10) << name << " " << fails;
    }
  }
}

TEST(PushSum, RefusesWeightsThatCouldUseUpItsMass) {
  MatrixXd split = dense(reweighted(digraph(), Weights::column));
  split(0, 0) += 0.7;
  split(1, 0) -= 0.7;
  std::vector<std::vector<MixingMatrix::Entry>> rows(6);
  for (AgentId i = 0; i < 6; ++i) {
    for (AgentId j = 0; j < 6; ++j) rows[static_cast<std::size_t>(i)].push_back({j, split(i, j)});
  }
  Network network(Communicator(MPI_COMM_WORLD), MixingMatrix(rows, Sums::columns));
  EXPECT_THROW(ConsensusVariable(network, "s", VectorXd::Zero(2), strategy("push-sum")), Error);
  EXPECT_NO_THROW(ConsensusVariable(network, "s", VectorXd::Zero(2), strategy("push-pull")));
}

}  // namespace
}  // namespace echelon
