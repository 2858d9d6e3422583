// The testing kit accepts parts that keep their promises, and finds those that do not.
#include <gtest/gtest-spi.h>

#include "echelon/testing.hpp"

namespace echelon {
namespace {

/// Failures that `check` reports, in place of failing this test.
template <class Check>
int failures_of(const Check& check) {
  testing::TestPartResultArray results;
  {
    const testing::ScopedFakeTestPartResultReporter reporter(
        testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &results);
    check();
  }
  int failures = 0;
  for (int i = 0; i < results.size(); ++i) failures += results.GetTestPartResult(i).failed();
  return failures;
}

template <class Entry>
Entry renamed(const PartList<Entry>& list, const std::string& name) {
  Entry entry = list.at(name);
  entry.name = "changed " + name;
  entry.aliases.clear();
  return entry;
}

/// f = 1/2 |y|^2 and g = 1/2 |y - x|^2, with an error in one gradient.
class Sloped final : public AgentwiseProblem {
 public:
  Sloped(double factor, double drift)
      : AgentwiseProblem(AgentSet{3, {0, 1, 2}}, 2, 2), factor_(factor), drift_(drift) {}
  double f(AgentId, const ConstVector&, const ConstVector& y) const override {
    return 0.5 * y.squaredNorm();
  }
  double g(AgentId, const ConstVector& x, const ConstVector& y) const override {
    return 0.5 * (y - x).squaredNorm();
  }
  void grad_f(AgentId, const Sample&, const ConstVector&, const ConstVector& y, VectorXd& gx,
              VectorXd& gy) const override {
    gx.setZero();
    gy = factor_ * y;
  }
  void grad_g(AgentId, const Sample& sample, const ConstVector& x, const ConstVector& y,
              VectorXd& gx, VectorXd& gy) const override {
    gy = y - x;
    gx = -gy;
    if (!sample.full) gx(0) += drift_ * calls_++;
  }

 private:
  double factor_, drift_;
  mutable int calls_ = 0;
};

TEST(Kit, FindsWrongGradientsAndOnesThatAreNotReproducible) {
  Sloped right(1, 0), wrong(1.01, 0), moody(1, 1);
  contract::check_gradients(right);
  EXPECT_GT(failures_of([&] { contract::check_gradients(wrong); }), 0);
  EXPECT_GT(failures_of([&] { contract::check_gradients(moody); }), 0);
}

/// Another strategy whose state nobody sees.
class Forgetful final : public ConsensusStrategy {
 public:
  explicit Forgetful(std::unique_ptr<ConsensusStrategy> inner) : inner_(std::move(inner)) {}
  void begin(const AgentView& value) override { inner_->begin(value); }
  void advance(AgentMatrix& value, AgentMatrix& direction, double step) override {
    inner_->advance(value, direction, step);
  }

 private:
  std::unique_ptr<ConsensusStrategy> inner_;
};

TEST(Kit, FindsStrategiesThatPromiseTooMuchOrCarryMoreThanTheyShow) {
  const auto failures = [](const StrategyEntry& entry) {
    const PartList<StrategyEntry> list("strategy", {entry});
    return failures_of([&] { contract::check_strategy({list, entry.name}); });
  };
  for (const char* name : {"gt-atc", "gossip-atc", "push-sum", "all-reduce", "none"}) {
    contract::check_strategy({strategy_catalog(), name});
  }
  StrategyEntry biased = renamed(strategy_catalog(), "gossip-atc");
  biased.traits = [traits = biased.traits](const PartOptions& options) {
    StrategyTraits own = traits(options);
    own.exact_on_heterogeneous = true;
    return own;
  };
  EXPECT_GT(failures(biased), 0);
  StrategyEntry modest = renamed(strategy_catalog(), "all-reduce");
  modest.traits = [traits = modest.traits](const PartOptions& options) {
    StrategyTraits own = traits(options);
    own.exact_on_heterogeneous = false;
    return own;
  };
  EXPECT_GT(failures(modest), 0);
  StrategyEntry forgetful = renamed(strategy_catalog(), "extra");
  forgetful.make = [make = forgetful.make](const StrategyContext& context) {
    return std::make_unique<Forgetful>(make(context));
  };
  EXPECT_GT(failures(forgetful), 0);
}

/// Another compressor that claims to lose nothing.
class Boastful final : public Compressor {
 public:
  explicit Boastful(std::unique_ptr<Compressor> inner) : inner_(std::move(inner)) {}
  std::size_t bytes(Index dimension) const override { return inner_->bytes(dimension); }
  void encode(std::span<const double> v, const MessageKey& key,
              std::span<std::byte> message) const override {
    inner_->encode(v, key, message);
  }
  void decode(std::span<const std::byte> message, const MessageKey& key,
              std::span<double> v) const override {
    inner_->decode(message, key, v);
  }
  double contraction(Index) const override { return 1; }

 private:
  std::unique_ptr<Compressor> inner_;
};

TEST(Kit, FindsCompressorsThatLoseMoreThanTheySay) {
  for (const auto& entry : compressor_catalog()) {
    contract::check_compressor({compressor_catalog(), entry.name}, {8, 64});
  }
  CompressorEntry boastful = renamed(compressor_catalog(), "top-k");
  boastful.make = [make = boastful.make](const PartOptions& options, Index dimension) {
    return std::make_unique<Boastful>(make(options, dimension));
  };
  const PartList<CompressorEntry> list("compressor", {boastful});
  EXPECT_GT(failures_of([&] { contract::check_compressor({list, boastful.name}); }), 0);
}

TEST(Kit, FindsTopologiesThatAreApartOrDirectedWithoutSayingSo) {
  const auto failures = [](const TopologyEntry& entry) {
    const PartList<TopologyEntry> list("topology", {entry});
    return failures_of([&] { contract::check_topology({list, entry.name}); });
  };
  for (const char* name : {"ring", "complete", "one-peer-exponential"}) {
    contract::check_topology({topology_catalog(), name});
  }
  const auto pairs = [](AgentId agents, const PartOptions&, std::uint64_t) {
    std::vector<std::pair<AgentId, AgentId>> edges;
    for (AgentId i = 0; i < agents; ++i) edges.emplace_back(i, i ^ 1);
    return TopologyRound{Graph(agents, edges)};
  };
  EXPECT_GT(failures({.name = "pairs", .summary = "", .formula = "", .make = pairs}), 0);
  TopologyEntry ring = renamed(topology_catalog(), "ring");
  ring.is_directed = [](AgentId) { return true; };
  EXPECT_GT(failures(ring), 0);
}

/// An average that is not part of the state.
class Untold final : public GradientEstimator {
 public:
  void estimate(const Sample& sample, OraclePoint point, const Oracle& oracle,
                OracleOutputs outputs) override {
    oracle(sample, point, outputs);
    weight_ = 0.5 * (1 + weight_);
    for (AgentView* output : outputs) *output *= weight_;
  }

 private:
  double weight_ = 0;
};

TEST(Kit, FindsEstimatorsThatCarryMoreThanTheyShow) {
  for (const char* name : {"plain", "momentum", "storm"}) {
    contract::check_estimator({estimator_catalog(), name});
  }
  EstimatorEntry untold = renamed(estimator_catalog(), "plain");
  untold.make = [](const PartOptions&, const EstimatorContext&) {
    return std::make_unique<Untold>();
  };
  const PartList<EstimatorEntry> list("estimator", {untold});
  EXPECT_GT(failures_of([&] { contract::check_estimator({list, untold.name}); }), 0);
}

/// Another method whose state nobody sees.
class ForgetfulMethod final : public Method {
 public:
  explicit ForgetfulMethod(std::unique_ptr<Method> inner) : inner_(std::move(inner)) {}
  void iterate(std::uint64_t k) override { inner_->iterate(k); }
  const AgentView& x() override { return inner_->x(); }
  const AgentView& y() override { return inner_->y(); }
  void visit_state(StateVisitor&) override {}

 private:
  std::unique_ptr<Method> inner_;
};

TEST(Kit, FindsMethodsThatMissTheSolutionOrCarryMoreThanTheyShow) {
  contract::check_method("soba");
  EXPECT_GT(failures_of([] { contract::check_method("soba", {{"method.alpha", "0"}}); }), 0);
  MethodEntry forgetful = renamed(method_catalog(), "soba");
  forgetful.name = "forgetful-soba";
  forgetful.make = [make = forgetful.make](const MethodContext& context,
                                           const PartOptions& options) {
    return std::make_unique<ForgetfulMethod>(make(context, options));
  };
  method_catalog().add(forgetful);
  EXPECT_GT(failures_of([] { contract::check_method("forgetful-soba"); }), 0);
}

}  // namespace
}  // namespace echelon
