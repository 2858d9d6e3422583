// Every method with every strategy on agents that differ, around a ring of 8: where it ends,
// against its own answer with exact means.

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "catalog_names.hpp"
#include "compositions.hpp"
#include "echelon/core/catalog.hpp"

namespace echelon {
namespace {

using namespace testing_support;

/// What theory says of a method's decentralized answer.
enum class Expected {
  settles,  ///< what it carries settles: exact under strategies that are exact on heterogeneous
            ///< agents
  shrinks,  ///< a transient moves the answer; the gap shrinks with the step
  hovers,   ///< random directions or a line search leave it near the answer
};

struct Row {
  Expected expected;
  Settings settings;  ///< steps that suit every strategy, and iterations until all have settled
  /// For `shrinks`: finer steps, and iterations in proportion.
  Settings finer{};
};

/// Agents share all curvature that x feels here: then means of gossip are exact.
const std::set<std::string> feel_no_difference{"unroll-sign", "aipod", "e-aipod"};

const std::map<std::string, Row>& rows();

struct Ending {
  VectorXd x, y;
};

Ending end_of(const Settings& settings) {
  Experiment experiment(Communicator(MPI_COMM_WORLD), configuration_of(settings), FileDataSource());
  Requests requests;
  const Outcome outcome = experiment.runner().run(RunHooks{}, requests);
  EXPECT_EQ(static_cast<int>(outcome.status), static_cast<int>(Status::iterations_done))
      << settings.at("consensus.strategy") << ": " << outcome.detail;
  return {experiment.network().mean_for_report(experiment.method().x()),
          experiment.network().mean_for_report(experiment.method().y())};
}

double distance(const Ending& a, const Ending& b) {
  return std::hypot((a.x - b.x).norm(), (a.y - b.y).norm());
}

class EveryMethod : public testing::TestWithParam<std::string> {
 protected:
  const MethodEntry& method = find_entry(method_catalog(), GetParam(), "method");

  Settings with(const std::string& strategy, const Settings& more) const {
    Settings settings = problem_for(method) + Settings{{"method.name", method.name},
                                                       {"network.agents", "8"},
                                                       {"run.iterations", "4000"},
                                                       {"metrics.every", "1000000"}};
    if (settings.at("problem.name") == "quadratic") settings["problem.heterogeneity"] = "0.5";
    if (strategy == "compressed-tracking") settings["consensus.consensus_step"] = "0.4";
    settings["consensus.strategy"] = strategy;
    return settings + more;
  }
  /// The distance to the answer with exact means; not a number where the composition is refused.
  double gap(const std::string& strategy, const Settings& more, const Ending& exact) const {
    const Settings settings = with(strategy, more);
    try {
      return distance(end_of(settings), exact);
    } catch (const Error& error) {
      EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(ErrorKind::usage));
      EXPECT_FALSE(find_entry(strategy_catalog(), strategy, "strategy").projectable)
          << error.what();
      return std::nan("");
    }
  }
};

TEST_P(EveryMethod, EndsAtItsOwnAnswerUnderEveryStrategy) {
  const auto found = rows().find(method.name);
  ASSERT_NE(found, rows().end()) << "no row for this method: say what is expected of it";
  const Row& row = found->second;
  const Ending exact = end_of(with("all-reduce", row.settings));
  if (row.expected == Expected::shrinks) {
    const Ending finer = end_of(with("all-reduce", row.finer));
    const double coarse_gap = gap("gt-atc", row.settings, exact);
    const double fine_gap = gap("gt-atc", row.finer, finer);
    std::printf("%-16s gap %.1e, with finer steps %.1e\n", method.name.c_str(), coarse_gap,
                fine_gap);
    EXPECT_LT(fine_gap, std::max(0.6 * coarse_gap, 1e-9));
    EXPECT_LT(coarse_gap, 0.2);
    return;
  }
  if (row.expected == Expected::hovers) {
    EXPECT_LT(gap("gt-atc", row.settings, exact), 0.05);
    return;
  }
  if (method.means_first) {  // the name of any other strategy asks for dynamic average consensus
    EXPECT_LT(gap("gt-atc", row.settings, exact), 1e-6);
    return;
  }
  for (const StrategyEntry& strategy : strategy_catalog()) {
    if (strategy.personal || strategy.name == "all-reduce") continue;
    const double error = gap(strategy.name, row.settings, exact);
    if (std::isnan(error)) continue;
    if (strategy.exact_on_heterogeneous) {
      EXPECT_LT(error, 1e-6) << strategy.name;
    } else if (strategy.served) {
      EXPECT_LT(error, 1e-6) << strategy.name << " with one local step";
    } else {
      const double least = feel_no_difference.count(method.name) > 0 ? -1 : 1e-5;
      EXPECT_GT(error, least) << strategy.name << " is biased";
      EXPECT_LT(error, 5) << strategy.name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Catalog, EveryMethod, testing_support::every_name(method_catalog()),
                         testing_support::suffix);

/// Steps a fifth of those of well-scaled problems: those of gt-nonatc are bounded by .22 / L.
const Settings penalty_steps{{"method.lambda", "10"},
                             {"method.inner_steps", "3"},
                             {"method.beta", "0.1"},
                             {"method.gamma", "0.1"},
                             {"method.alpha", "0.05"}};
const Settings implicit_steps{
    {"method.beta", "0.1"}, {"method.gamma", "0.1"}, {"method.alpha", "0.05"}};

const std::map<std::string, Row>& rows() {
  const auto scaled = [](const Settings& settings, const std::string& iterations) {
    return settings + Settings{{"run.iterations", iterations}};
  };
  const Settings inner{{"method.beta", "0.2"},
                       {"method.alpha", "0.05"},
                       {"method.inner_steps", "10"},
                       {"run.iterations", "1500"}};
  const Settings neumann = inner + Settings{{"method.solver_steps", "30"}};
  const Settings constant{{"method.upper_decay", "0"}, {"method.lower_decay", "0"}};
  const Settings single{{"method.alpha", "0.05"}, {"method.beta", "0.1"}};
  static const std::map<std::string, Row> all{
      {"f2sa", {Expected::settles, penalty_steps + Settings{{"method.lambda_increment", "0"}}}},
      {"f2ba", {Expected::settles, penalty_steps}},
      {"accf2ba",
       {Expected::settles,
        scaled(penalty_steps + Settings{{"method.alpha", "0.01"}, {"method.momentum", "0.5"}},
               "12000")}},
      {"f3sa",
       {Expected::settles, scaled(penalty_steps + Settings{{"method.lambda_exponent", "0"},
                                                           {"method.upper_decay", "0"},
                                                           {"method.lower_decay", "0"}},
                                  "8000")}},
      {"f2sa-p",
       {Expected::settles,
        {{"method.nu", "0.1"},
         {"method.inner_steps", "3"},
         {"method.beta", "0.1"},
         {"method.alpha", "0.05"}}}},
      {"v-pbgd",
       {Expected::settles, scaled({{"method.carry", "yes"},
                                   {"method.lambda", "10"},
                                   {"method.alpha", "0.01"},
                                   {"method.beta", "0.01"},
                                   {"method.gamma", "0.1"},
                                   {"method.inner_steps", "3"}},
                                  "20000")}},
      {"g-pbgd",
       {Expected::settles,
        scaled({{"method.lambda", "10"}, {"method.alpha", "0.01"}, {"method.beta", "0.01"}},
               "30000")}},
      {"pdbo",
       {Expected::shrinks,
        {},
        scaled({{"method.alpha", "0.00125"}, {"method.beta", "0.00125"}}, "16000")}},
      {"bvfim", {Expected::hovers, {{"problem.start", "2"}, {"problem.heterogeneity", "0.01"}}}},
      {"scalebio", {Expected::settles, {}}},
      {"bome",
       {Expected::shrinks,
        {{"method.carry", "yes"},
         {"method.upper_decay", "0"},
         {"method.lower_decay", "0"},
         {"method.gamma", "0.1"},
         {"method.alpha", "0.02"},
         {"method.beta", "0.02"}},
        scaled({{"method.carry", "yes"},
                {"method.upper_decay", "0"},
                {"method.lower_decay", "0"},
                {"method.gamma", "0.1"},
                {"method.alpha", "0.005"},
                {"method.beta", "0.005"}},
               "16000")}},
      {"pgd-cqa", {Expected::shrinks, {}, scaled({{"method.gamma", "0.0025"}}, "16000")}},
      {"rxgf", {Expected::shrinks, {}, scaled({{"method.gamma", "0.0025"}}, "16000")}},
      {"sqcqp", {Expected::hovers, {}}},
      {"meha",
       {Expected::settles, scaled({{"method.lambda_exponent", "0"},
                                   {"method.beta", "0.05"},
                                   {"method.gamma", "0.05"},
                                   {"method.alpha", "0.05"}},
                                  "12000")}},
      {"moreau",
       {Expected::settles, scaled({{"method.mu", "0.5"}, {"method.alpha", "0.1"}}, "12000")}},
      {"soba", {Expected::settles, implicit_steps}},
      {"hjfbio", {Expected::settles, implicit_steps}},
      {"ma-soba", {Expected::settles, implicit_steps}},
      {"fsla", {Expected::settles, implicit_steps}},
      {"fdehbo", {Expected::settles, implicit_steps + constant}},
      {"fmbo", {Expected::settles, implicit_steps + constant}},
      {"aid-cg", {Expected::settles, inner}},
      {"aid-neumann", {Expected::settles, neumann}},
      {"aid-woodfisher",
       {Expected::hovers, scaled({{"method.alpha", "0.05"}, {"method.beta", "0.1"}}, "100")}},
      {"aid-identity", {Expected::settles, inner}},
      {"one-step", {Expected::settles, inner}},
      {"stocbio", {Expected::settles, neumann}},
      {"sustain", {Expected::settles, single + constant + Settings{{"method.truncation", "sum"}}}},
      {"mrbo", {Expected::settles, single + constant}},
      {"qnbo", {Expected::settles, single + Settings{{"run.iterations", "1000"}}}},
      {"ma-dsbo", {Expected::settles, implicit_steps}},
      {"sigd", {Expected::hovers, {{"run.iterations", "400"}}}},
      {"ds-blo", {Expected::hovers, {{"run.iterations", "400"}}}},
      {"aipod", {Expected::settles, {{"run.iterations", "2000"}}}},
      {"e-aipod", {Expected::settles, {{"run.iterations", "4000"}}}},
      {"lower-only", {Expected::settles, {{"method.beta", "0.1"}}}},
      {"fedmsa", {Expected::settles, {{"method.local_steps", "3"}}}},
      {"fednest",
       {Expected::settles,
        {{"method.local_steps", "3"}, {"method.solver_steps", "40"}, {"method.alpha", "0.05"}}}},
      {"unroll-backward", {Expected::settles, scaled({{"method.alpha", "0.05"}}, "1000")}},
      {"unroll-truncated", {Expected::settles, scaled({{"method.alpha", "0.05"}}, "1000")}},
      {"unroll-forward", {Expected::settles, scaled({{"method.alpha", "0.05"}}, "1000")}},
      {"unroll-sign", {Expected::settles, scaled({{"method.alpha", "0.05"}}, "1000")}},
      {"bda", {Expected::settles, scaled({{"method.alpha", "0.05"}}, "500")}},
      {"pzobo", {Expected::hovers, {}}},
      {"hozog", {Expected::hovers, {}}},
  };
  return all;
}

}  // namespace
}  // namespace echelon
