#include "echelon/method/estimator.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "catalog_names.hpp"
#include "echelon/core/random.hpp"
#include "echelon/problem/hyper_cleaning.hpp"
#include "echelon/problem/quadratic.hpp"
#include "echelon/problem/sampling.hpp"
#include "part_settings.hpp"
#include "problem/memory_source.hpp"

namespace echelon {
namespace {

constexpr std::uint64_t seed = 9;

Chosen<EstimatorEntry> by(const std::string& name) {
  return {estimator_catalog(), name};
}
Chosen<EstimatorEntry> by(const std::string& name, PartOptions options) {
  return {estimator_catalog(), name, std::move(options)};
}

std::unique_ptr<GradientEstimator> make(const Chosen<EstimatorEntry>& chosen,
                                        const EstimatorContext& context) {
  return chosen->make(chosen.options(), context);
}

EstimatorContext small_context() {
  static Quadratic problem({2, {0, 1}}, QuadraticOptions{}, seed);
  return {.outputs = {3, 5},
          .arguments = {3},
          .agents = {0, 1},
          .sub_batch_seed = seed,
          .problem = &problem};
}

/// Adds N(0, 1) to every entry, independently.
void add_noise(const Sample& sample, OracleOutputs outputs) {
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    Draws draws(1, Purpose::gradient_noise, static_cast<AgentId>(k), sample.iteration);
    for (Index i = 0; i < outputs[k]->cols(); ++i) {
      for (Index r = 0; r < outputs[k]->rows(); ++r) (*outputs[k])(r, i) += draws.normal();
    }
  }
}

/// The first entry s of the point in every entry, as s + s^2, plus noise.
void noisy_oracle(const Sample& sample, OraclePoint point, OracleOutputs outputs) {
  const double s = (*point[0])(0, 0);
  for (AgentView* output : outputs) output->setConstant(s + s * s);
  add_noise(sample, outputs);
}

/// Mean and mean square of the error of estimates along s(k) = speed k.
struct Errors {
  double mean = 0;
  double square = 0;
  double samples = 0;
};

Errors errors_along(GradientEstimator& estimator, double speed, int count) {
  AgentMatrix s(3, 2), a(3, 2), b(5, 2);
  Errors errors;
  for (int k = 0; k < count + 200; ++k) {
    const double at = speed * k;
    s.setConstant(at);
    estimator.estimate({.iteration = static_cast<std::uint64_t>(k)}, {&s}, noisy_oracle, {&a, &b});
    if (k < 200) continue;
    for (Index i = 0; i < 2; ++i) {
      for (Index r = 0; r < 5; ++r) {
        const double error = b(r, i) - at - at * at;
        errors.mean += error;
        errors.square += error * error;
        ++errors.samples;
      }
    }
  }
  errors.mean /= errors.samples;
  errors.square /= errors.samples;
  return errors;
}

/// m = (1 - c) m + c noise has variance c / (2 - c) and autocorrelation (1 - c)^lag; the bounds are
/// five standard deviations of the sample moments.
void expect_variance_law(const Errors& errors, double c) {
  const double variance = c / (2 - c);
  const double rho = 1 - c;
  EXPECT_NEAR(errors.mean, 0, 5 * std::sqrt(variance * (1 + rho) / (1 - rho) / errors.samples));
  EXPECT_NEAR(errors.square, variance,
              5 * variance * std::sqrt(2 * (1 + rho * rho) / (1 - rho * rho) / errors.samples));
}

/// Every block and number of the state, to copy it.
class Contents final : public StateVisitor {
 public:
  std::map<std::string, AgentMatrix*> matrices;
  std::map<std::string, std::int64_t*> integers;

 protected:
  void visit(const std::string& name, AgentMatrix& state) override { matrices[name] = &state; }
  void visit(const std::string&, double&) override { FAIL(); }
  void visit(const std::string& name, std::int64_t& value) override { integers[name] = &value; }
  void visit(const std::string&, Eigen::MatrixXd&) override { FAIL(); }
};

void copy_state(GradientEstimator& from, GradientEstimator& to) {
  Contents source, target;
  from.visit_state(source);
  to.visit_state(target);
  ASSERT_EQ(source.matrices.size(), target.matrices.size());
  for (auto& [name, matrix] : source.matrices) target.matrices.at(name)->copy_from(*matrix);
  for (auto& [name, value] : source.integers) *target.integers.at(name) = *value;
}

TEST(Estimator, PlainPassesTheOracleThrough) {
  const auto estimator = make(by("plain"), small_context());
  AgentMatrix s(3, 2), a(3, 2), b(5, 2), expected(3, 2), other(5, 2);
  const Sample sample{.iteration = 4};
  estimator->estimate(sample, {&s}, noisy_oracle, {&a, &b});
  const AgentView* const point[] = {&s};
  AgentView* const outputs[] = {&expected, &other};
  noisy_oracle(sample, point, outputs);
  EXPECT_EQ(a, expected);
  EXPECT_EQ(b, other);
}

TEST(Estimator, MomentumAndStormObeyTheVarianceLawAtAFixedPoint) {
  for (const double c : {0.1, 0.3, 0.9, 1.0}) {
    for (const char* name : {"momentum", "storm"}) {
      const auto estimator =
          make(testing_support::chosen(estimator_catalog(), name,
                                       {{"theta", number_text(c)}, {"c", number_text(c)}}),
               small_context());
      expect_variance_law(errors_along(*estimator, 0, 20000), c);
    }
  }
}

TEST(Estimator, StormFollowsAMovingPointWhereMomentumLags) {
  const double speed = 1e-5;
  for (const double c : {0.1, 0.3}) {
    const auto storm = make(by("storm", StormOptions{.c = c}), small_context());
    expect_variance_law(errors_along(*storm, speed, 20000), c);
  }
  // The lag is (1 - theta) / theta steps, here of s alone.
  const double theta = 0.05;
  const auto momentum = make(by("momentum", MomentumOptions{.theta = theta}), small_context());
  AgentMatrix s(3, 2), a(3, 2), b(5, 2);
  const Oracle exact = [](const Sample&, OraclePoint at, OracleOutputs out) {
    for (AgentView* block : out) block->setConstant((*at[0])(0, 0));
  };
  for (int k = 0; k < 2000; ++k) {
    s.setConstant(k);
    momentum->estimate({}, {&s}, exact, {&a, &b});
  }
  EXPECT_NEAR(b(0, 0), 1999 - (1 - theta) / theta, 1e-9);
}

TEST(Estimator, StormEvaluatesEverySampleAtThePreviousPointToo) {
  const auto storm =
      make(by("storm", StormOptions{.c = 0.4}),
           {.outputs = {2}, .arguments = {3, 4}, .agents = {5}, .sub_batch_seed = {}});
  AgentMatrix s(3, 1), t(4, 1), out(2, 1);
  std::vector<std::array<double, 3>> calls;
  const Oracle oracle = [&](const Sample& sample, OraclePoint at, OracleOutputs outputs) {
    ASSERT_EQ(at.size(), 2u);
    ASSERT_EQ(at[1]->rows(), 4);
    calls.push_back({static_cast<double>(sample.iteration), (*at[0])(2, 0), (*at[1])(3, 0)});
    outputs[0]->setConstant(10 * (*at[0])(2, 0) + static_cast<double>(sample.iteration));
  };
  for (std::uint64_t k = 0; k < 3; ++k) {
    s.setConstant(static_cast<double>(k + 1));
    t.setConstant(static_cast<double>(100 * k));
    storm->estimate({.iteration = k}, {&s, &t}, oracle, {&out});
  }
  const std::vector<std::array<double, 3>> expected{
      {0, 1, 0}, {1, 2, 100}, {1, 1, 0}, {2, 3, 200}, {2, 2, 100}};
  EXPECT_EQ(calls, expected);
  // m0 = 10; m1 = 21 + .6 (10 - 11); m2 = 32 + .6 (m1 - 22).
  EXPECT_NEAR(out(1, 0), 32 + 0.6 * (21 - 0.6 - 22), 1e-13);
}

TEST(Estimator, StormWithFullWeightIsPlainToTheBit) {
  const auto storm = make(by("storm", StormOptions{.c = 1}), small_context());
  const auto plain = make(by("plain"), small_context());
  AgentMatrix s(3, 2), a(3, 2), b(5, 2), c(3, 2), d(5, 2);
  for (std::uint64_t k = 0; k < 50; ++k) {
    s.setConstant(std::sin(static_cast<double>(k)));
    storm->estimate({.iteration = k}, {&s}, noisy_oracle, {&a, &b});
    plain->estimate({.iteration = k}, {&s}, noisy_oracle, {&c, &d});
    EXPECT_EQ(a, c);
    EXPECT_EQ(b, d);
  }
}

TEST(Estimator, RecursiveOnesRefuseVariablesTheyDoNotKeep) {
  for (const char* name : {"storm", "sarah"}) {
    const auto estimator = make(by(name), small_context());
    AgentMatrix s(3, 2), t(4, 2), a(3, 2), b(5, 2);
    EXPECT_THROW(estimator->estimate({}, {&s, &s}, noisy_oracle, {&a, &b}), Error);
    EXPECT_THROW(estimator->estimate({}, {&t}, noisy_oracle, {&a, &b}), Error);
  }
}

TEST(Estimator, FirstStepsArePlain) {
  const Oracle ones = [](const Sample&, OraclePoint, OracleOutputs outputs) {
    for (AgentView* output : outputs) output->setOnes();
  };
  for (const char* name : {"momentum", "storm", "saga", "sarah"}) {
    const auto estimator =
        make(testing_support::chosen(estimator_catalog(), name,
                                     {{"theta", "0.01"}, {"c", "0.01"}, {"saga_batches", "4"}}),
             small_context());
    AgentMatrix s(3, 2), a(3, 2), b(5, 2);
    estimator->estimate({}, {&s}, ones, {&a, &b});
    EXPECT_EQ(a(2, 1), 1);
    EXPECT_EQ(b(4, 0), 1);
  }
}

/// P-Q with noise as a finite sum: gradients of g at (x, y) for three agents of five.
struct FiniteSum {
  explicit FiniteSum(const Chosen<EstimatorEntry>& options)
      : estimator(make(options, {.outputs = {4, 4},
                                 .arguments = {4, 4},
                                 .agents = problem.agents().local,
                                 .sub_batch_seed = problem.sub_batch_seed(),
                                 .problem = &problem})) {
    x.setConstant(0.5);
    y.setConstant(-0.3);
  }

  void estimate(std::uint64_t k) {
    estimator->estimate({.iteration = k, .step = 2}, {&x, &y}, oracle, {&gx, &gy});
  }
  void evaluate(const Sample& sample) { problem.grad_g(sample, {{x, y, &gx, &gy}}); }
  void move(std::uint64_t k) {
    const double at = static_cast<double>(k);
    x.setConstant(std::sin(0.3 * at));
    y.setConstant(std::cos(0.2 * at));
  }

  Quadratic problem{AgentSet{5, {0, 2, 3}},
                    PqOptions{.dimension = 4, .heterogeneity = 1, .noise = 0.7}, seed};
  Oracle oracle = [this](const Sample& sample, OraclePoint at, OracleOutputs out) {
    problem.grad_g(sample, {{*at[0], *at[1], out[0], out[1]}});
  };
  AgentMatrix x{4, 3}, y{4, 3}, gx{4, 3}, gy{4, 3};
  std::unique_ptr<GradientEstimator> estimator;
};

TEST(Estimator, CallsAreCountedWhereTheyHappen) {
  FiniteSum plain(by("plain")), storm(by("storm"));
  FiniteSum saga(by("saga", SagaOptions{.saga_batches = 6}));
  FiniteSum sarah(by("sarah", SarahOptions{.period = 3}));
  for (std::uint64_t k = 0; k < 4; ++k) {
    for (FiniteSum* sum : {&plain, &storm, &saga, &sarah}) sum->estimate(k);
  }
  EXPECT_EQ(plain.problem.counts().gradients, 3 * 4);
  EXPECT_EQ(storm.problem.counts().gradients, 3 * (1 + 2 * 3));
  EXPECT_EQ(saga.problem.counts().gradients, 3 * (6 + 3));
  EXPECT_EQ(sarah.problem.counts().gradients, 3 * (1 + 2 + 2 + 1));
}

TEST(Storm, WeightFallsFromItsStartOn) {
  // Noise that is 1 at k = 4 and 0 before enters with the weight of that iteration.
  const Oracle late = [](const Sample& sample, OraclePoint, OracleOutputs outputs) {
    for (AgentView* output : outputs) output->setConstant(sample.iteration == 4 ? 1 : 0);
  };
  const auto weight = [&](const Chosen<EstimatorEntry>& options) {
    const auto storm = make(options, small_context());
    AgentMatrix s(3, 2), a(3, 2), b(5, 2);
    for (std::uint64_t k = 0; k <= 4; ++k) storm->estimate({.iteration = k}, {&s}, late, {&a, &b});
    return a(0, 0);
  };
  EXPECT_DOUBLE_EQ(weight(by("storm", StormOptions{.c = 0.3})), 0.3);
  EXPECT_DOUBLE_EQ(weight(by("storm", StormOptions{.c = 0.3, .decay = 2, .decay_offset = 4})),
                   0.3 / 4);
  EXPECT_DOUBLE_EQ(
      weight(by("storm", StormOptions{.c = 0.3, .decay = 2, .decay_offset = 1, .decay_start = 3})),
      0.3 / 4);
  EXPECT_DOUBLE_EQ(
      weight(by("storm", StormOptions{.c = 0.3, .decay = 2, .decay_offset = 1, .decay_start = 5})),
      0.3);
}

TEST(Sarah, IsTheFullGradientEveryPeriod) {
  FiniteSum sum(by("sarah", SarahOptions{.period = 4}));
  AgentMatrix expected(4, 3);
  for (std::uint64_t k = 0; k < 13; ++k) {
    sum.move(k);
    sum.evaluate(Sample::everything());
    expected.copy_from(sum.gy);
    sum.estimate(k);
    EXPECT_TRUE(k % 4 != 0 || sum.gy == expected);
  }
}

TEST(Sarah, StaysAtTheFullGradientWhileThePointRests) {
  FiniteSum sum(by("sarah", SarahOptions{.period = 64}));
  sum.move(17);
  sum.evaluate(Sample::everything());
  AgentMatrix expected(4, 3);
  expected.copy_from(sum.gy);
  for (std::uint64_t k = 0; k < 100; ++k) {
    sum.estimate(k);
    EXPECT_LT((sum.gy - expected).norm(), 1e-12);
  }
}

TEST(Sarah, AddsUpTheNoiseOfDifferencesUntilTheNextPeriod) {
  // O(s; xi) = xi s with E xi = 1: the error grows by (xi - 1)(s - s_old) at each step.
  const Oracle slopes = [](const Sample& sample, OraclePoint point, OracleOutputs outputs) {
    const double xi =
        sample.full ? 1 : 1 + Draws(1, Purpose::gradient_noise, 0, sample.iteration).normal();
    for (AgentView* output : outputs) output->setConstant(xi * (*point[0])(0, 0));
  };
  const auto sarah = make(by("sarah", SarahOptions{.period = 10}), small_context());
  AgentMatrix s(3, 2), a(3, 2), b(5, 2);
  double expected = 0;
  for (std::uint64_t k = 0; k < 30; ++k) {
    const double at = std::sin(static_cast<double>(k));
    const double before = std::sin(static_cast<double>(k) - 1);
    s.setConstant(at);
    sarah->estimate({.iteration = k}, {&s}, slopes, {&a, &b});
    const double xi = 1 + Draws(1, Purpose::gradient_noise, 0, k).normal();
    expected = k % 10 == 0 ? at : expected + xi * (at - before);
    EXPECT_NEAR(a(1, 1), expected, 1e-13);
    EXPECT_NEAR(b(1, 1), expected, 1e-13);
  }
}

/// With a table filled elsewhere, d differs from the gradient but not in the mean over b.
TEST(Saga, IsUnbiasedOverTheSubBatchesForAFixedTable) {
  constexpr std::int64_t batches = 4;
  FiniteSum sum(by("saga", SagaOptions{.saga_batches = batches}));
  for (std::uint64_t k = 0; k < 9; ++k) {
    sum.move(k);
    sum.estimate(k);
  }
  sum.move(40);
  sum.evaluate(Sample::everything());
  AgentMatrix expected_x(4, 3), expected_y(4, 3);
  expected_x.copy_from(sum.gx);
  expected_y.copy_from(sum.gy);

  std::map<std::int64_t, VectorXd> by_batch;  // of agent 2, in column 1
  for (std::uint64_t k = 100; by_batch.size() < batches; ++k) {
    FiniteSum copy(by("saga", SagaOptions{.saga_batches = batches}));
    copy_state(*sum.estimator, *copy.estimator);
    copy.move(40);
    copy.estimate(k);
    const Sample sample{.iteration = k, .step = 2, .batches = batches};
    const VectorXd d = (VectorXd(8) << copy.gx.col(1), copy.gy.col(1)).finished();
    const auto [place, is_new] = by_batch.emplace(sub_batch_of(2, sample, seed), d);
    EXPECT_TRUE(is_new || place->second == d);
    ASSERT_LT(k, 200u);
  }
  VectorXd mean = VectorXd::Zero(8);
  for (const auto& [b, d] : by_batch) mean += d / batches;
  EXPECT_LT((mean.head(4) - expected_x.col(1)).norm(), 1e-12);
  EXPECT_LT((mean.tail(4) - expected_y.col(1)).norm(), 1e-12);
  EXPECT_GT((by_batch[0] - mean).norm(), 1e-3);
}

TEST(Saga, IsTheFullGradientAtAFixedPointOnceAllSubBatchesHaveBeenSeen) {
  FiniteSum sum(by("saga", SagaOptions{.saga_batches = 5}));
  sum.move(17);
  sum.estimate(0);  // fills the table away from the point of the steps below
  sum.move(30);
  sum.evaluate(Sample::everything());
  AgentMatrix expected(4, 3);
  expected.copy_from(sum.gy);
  bool was_off = false;
  for (std::uint64_t k = 1; k < 120; ++k) {
    sum.estimate(k);
    const double error = (sum.gy - expected).norm();
    was_off = was_off || error > 1e-3;
    EXPECT_TRUE(k <= 100 || error < 1e-12);
  }
  EXPECT_TRUE(was_off);
}

/// f and g have different numbers of samples, and products are estimated like gradients.
TEST(Saga, IsExactAtAFixedPointOfADataProblem) {
  const MemorySource source(120, 11);
  HyperCleaningOptions data;
  data.images = data.labels = "memory";
  data.train = 70;
  data.validation = 31;
  data.test = 0;
  HyperCleaning problem(all_agents(2), data, source, 5, true);
  const Index p = problem.upper_dimension();
  const Index q = problem.lower_dimension();
  const Oracle oracle = [&](const Sample& sample, OraclePoint at, OracleOutputs out) {
    problem.grad_f(sample, {{*at[0], *at[1], nullptr, out[0]}});
    problem.exact_product(sample, {*at[0], *at[1], *at[2], out[1], out[2]});
  };
  const auto saga =
      make(by("saga", SagaOptions{.saga_batches = 4}), {.outputs = {q, q, p},
                                                        .arguments = {p, q, q},
                                                        .agents = problem.agents().local,
                                                        .sub_batch_seed = problem.sub_batch_seed(),
                                                        .problem = &problem});
  AgentMatrix x(p, 2), y(q, 2), v(q, 2), fy(q, 2), hv(q, 2), jv(p, 2);
  AgentMatrix full_fy(q, 2), full_hv(q, 2), full_jv(p, 2);
  double worst = 0;
  for (std::uint64_t k = 0; k < 100; ++k) {
    if (k < 2) {
      for (Index i = 0; i < 2; ++i) {
        Draws draws(1, Purpose::start, static_cast<AgentId>(i), k);
        for (Index r = 0; r < p; ++r) x(r, i) = draws.normal();
        for (Index r = 0; r < q; ++r) y(r, i) = 0.3 * draws.normal();
        for (Index r = 0; r < q; ++r) v(r, i) = draws.normal();
      }
      const AgentView* const point[] = {&x, &y, &v};
      AgentView* const outputs[] = {&full_fy, &full_hv, &full_jv};
      oracle(Sample::everything(), point, outputs);
    }
    saga->estimate({.iteration = k}, {&x, &y, &v}, oracle, {&fy, &hv, &jv});
    const double error = (fy - full_fy).norm() + (hv - full_hv).norm() + (jv - full_jv).norm();
    worst = std::max(worst, error);
    EXPECT_TRUE((k > 0 && k < 80) || error < 1e-12);
  }
  EXPECT_GT(worst, 1e-3);
}

TEST(Saga, KeepsTheMeanOfItsTable) {
  constexpr std::int64_t batches = 7;
  FiniteSum sum(by("saga", SagaOptions{.saga_batches = batches}));
  for (std::uint64_t k = 0; k < 20000; ++k) {
    sum.move(k);
    sum.estimate(k);
  }
  Contents contents;
  sum.estimator->visit_state(contents);
  for (const char* k : {"0", "1"}) {
    const AgentMatrix& table = *contents.matrices.at(std::string("table_") + k);
    const AgentMatrix& mean = *contents.matrices.at(std::string("table_mean_") + k);
    ASSERT_EQ(table.rows(), batches * 4);
    Eigen::MatrixXd average = Eigen::MatrixXd::Zero(4, 3);
    for (Index b = 0; b < batches; ++b) average += table.middleRows(4 * b, 4) / batches;
    EXPECT_LT((average - mean).norm(), 1e-12);
    EXPECT_GT(average.norm(), 1e-3);
  }
}

TEST(Saga, WithOneSubBatchIsTheFullGradient) {
  FiniteSum sum(by("saga", SagaOptions{.saga_batches = 1}));
  AgentMatrix expected(4, 3);
  for (std::uint64_t k = 0; k < 30; ++k) {
    sum.move(k);
    sum.evaluate(Sample::everything());
    expected.copy_from(sum.gy);
    sum.estimate(k);
    EXPECT_LT((sum.gy - expected).norm(), 1e-13);
  }
}

std::string refusal(const Chosen<EstimatorEntry>& options, const EstimatorContext& context) {
  try {
    make(options, context);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.what();
  }
  return "";
}

TEST(Saga, RefusesTooLargeATableWithTheNumbers) {
  // One sub-batch: (3 + 5) x 2 x 8 = 128 bytes.
  EXPECT_EQ(
      refusal(by("saga", SagaOptions{.saga_batches = 10, .saga_memory = 1e-6}), small_context()),
      "estimator.saga_batches = 10: the table takes 1280 bytes on this rank (10 sub-batches "
      "x 8 entries x 2 agents x 8 bytes; estimator.saga_memory allows 1000); choose "
      "estimator.saga_batches <= 7 or estimator.saga_memory >= 1.28e-06");
  EXPECT_EQ(
      refusal(by("saga", SagaOptions{.saga_batches = 7, .saga_memory = 1e-6}), small_context()),
      "");
  const auto hopeless =
      refusal(by("saga", SagaOptions{.saga_batches = 10, .saga_memory = 1e-8}), small_context());
  EXPECT_EQ(hopeless.find("saga_batches <="), std::string::npos);
  EXPECT_NE(hopeless.find("choose estimator.saga_memory >= 1.28e-06"), std::string::npos);
  const EstimatorContext huge{
      .outputs = {Index{1} << 40}, .arguments = {}, .agents = {0, 1}, .sub_batch_seed = seed};
  EXPECT_NE(refusal(by("saga", SagaOptions{.saga_batches = 1000000}), huge), "");
}

TEST(Saga, RefusesProblemsWithoutSubBatches) {
  EstimatorContext context = small_context();
  context.sub_batch_seed.reset();
  EXPECT_NE(refusal(by("saga"), context).find("no sub-batches"), std::string::npos);
}

class EveryEstimator : public testing::TestWithParam<std::string> {};

TEST_P(EveryEstimator, ContinuesFromItsStateToTheBit) {
  const auto options = by(GetParam());
  FiniteSum whole(options), resumed(options);
  for (std::uint64_t k = 0; k < 25; ++k) {
    whole.move(k);
    whole.estimate(k);
  }
  copy_state(*whole.estimator, *resumed.estimator);
  for (std::uint64_t k = 25; k < 50; ++k) {
    whole.move(k);
    resumed.move(k);
    whole.estimate(k);
    resumed.estimate(k);
    EXPECT_EQ(whole.gx, resumed.gx);
    EXPECT_EQ(whole.gy, resumed.gy);
  }
}

TEST_P(EveryEstimator, GivesAnAgentTheSameWhereverItLives) {
  const auto options = by(GetParam());
  FiniteSum many(options);
  Quadratic alone(AgentSet{5, {2}}, PqOptions{.dimension = 4, .heterogeneity = 1, .noise = 0.7},
                  seed);
  const auto estimator = make(options, {.outputs = {4, 4},
                                        .arguments = {4, 4},
                                        .agents = {2},
                                        .sub_batch_seed = alone.sub_batch_seed(),
                                        .problem = &alone});
  const Oracle oracle = [&](const Sample& sample, OraclePoint at, OracleOutputs out) {
    alone.grad_g(sample, {{*at[0], *at[1], out[0], out[1]}});
  };
  AgentMatrix x(4, 1), y(4, 1), gx(4, 1), gy(4, 1);
  for (std::uint64_t k = 0; k < 30; ++k) {
    many.move(k);
    many.estimate(k);
    x = many.x.col(1);
    y = many.y.col(1);
    estimator->estimate({.iteration = k, .step = 2}, {&x, &y}, oracle, {&gx, &gy});
    EXPECT_EQ(gx, many.gx.col(1));
    EXPECT_EQ(gy, many.gy.col(1));
  }
}

INSTANTIATE_TEST_SUITE_P(Catalog, EveryEstimator, testing_support::every_name(estimator_catalog()),
                         testing_support::suffix);

TEST(Estimators, DeclareWhatTheyReadAndTheirTraits) {
  const std::map<std::string, std::string> expected{{"plain", ""},
                                                    {"momentum", "theta "},
                                                    {"storm", "c decay decay_offset decay_start "},
                                                    {"saga", "saga_batches saga_memory "},
                                                    {"sarah", "period "},
                                                    {"reuse", "reuse_probability "}};
  for (const EstimatorEntry& entry : estimator_catalog()) {
    std::string names;
    for (const auto& option : describe_options(entry.options)) names += option.name + " ";
    EXPECT_EQ(names, expected.at(entry.name)) << entry.name;
  }
  const auto traits = [](const std::string& name) { return by(name)->traits(by(name).options()); };
  EXPECT_TRUE(traits("reuse").calls == Varies::on_average);
  EXPECT_TRUE(traits("storm").calls == Varies::exact);
  EXPECT_TRUE(traits("storm").remembers);
  EXPECT_FALSE(traits("plain").remembers);
}

TEST(Reuse, KeepsAnAgentsLastAnswerWithItsProbability) {
  const auto options = by("reuse", ReuseOptions{.reuse_probability = 0.7});
  const auto estimator = make(options, small_context());
  AgentMatrix s(3, 2), a(3, 2), b(5, 2), last(3, 2);
  int kept = 0;
  constexpr int calls = 4000;
  for (int k = 0; k < calls; ++k) {
    const Oracle oracle = [k](const Sample&, OraclePoint, OracleOutputs outputs) {
      for (AgentView* output : outputs) output->setConstant(k);
    };
    estimator->estimate({.iteration = static_cast<std::uint64_t>(k)}, {&s}, oracle, {&a, &b});
    for (int i = 0; i < 2; ++i) {
      const bool is_kept = a(0, i) != k;
      EXPECT_EQ(a(0, i), is_kept ? last(0, i) : k);
      EXPECT_EQ(b(4, i), a(0, i));
      kept += is_kept ? 1 : 0;
    }
    last.copy_from(a);
  }
  EXPECT_NEAR(kept, 2 * calls * 0.7, 5 * std::sqrt(2 * calls * 0.7 * 0.3));
}

}  // namespace
}  // namespace echelon
