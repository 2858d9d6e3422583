// Every method with every strategy on agents that differ, around a ring of 8: where it ends,
// against its own answer with exact means.

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "catalog_names.hpp"
#include "compositions.hpp"
#include "echelon/core/catalog.hpp"
#include "echelon/experiment/cost.hpp"

namespace echelon {
namespace {

using namespace testing_support;

/// What theory says of a method's decentralized answer.
enum class Expected {
  settles,     ///< what it carries settles: exact under strategies that are exact on heterogeneous
               ///< agents
  alternates,  ///< a constraint without slack keeps it alternating about the answer, as wide as the
               ///< step, and trackers lag behind what alternates: the gap is in proportion to the
               ///< step
  drifts,      ///< x has no minimizer to settle at: the gap falls as x slows down
  wanders,     ///< random directions, the same for all agents, keep it in motion: likewise
};

struct Row {
  Expected expected;
  Settings settings;  ///< steps that suit every strategy, and iterations until all have settled
  /// Unless it settles: half of the steps, twice the iterations (if it drifts, later).
  Settings halved{};
  double most = 0;  ///< unless it settles: bound of the gap
};

/// Agents share all curvature that x feels here, or end where active rows change, which the exact
/// mean of x decides: then means of gossip are exact.
const std::set<std::string> feel_no_difference{"unroll-sign", "aipod", "e-aipod", "sigd", "ds-blo"};

const std::map<std::string, Row>& rows();

struct Ending {
  VectorXd x, y;
};

/// After run.iterations; `centered`: in the middle of that and the next iterate.
Ending end_of(const Settings& settings, bool centered = false) {
  Experiment experiment(Communicator(MPI_COMM_WORLD), configuration_of(settings), FileDataSource());
  Requests requests;
  const Outcome outcome = experiment.runner().run(RunHooks{}, requests);
  EXPECT_EQ(static_cast<int>(outcome.status), static_cast<int>(Status::iterations_done))
      << settings.at("consensus.strategy") << ": " << outcome.detail;
  Method& method = experiment.method();
  const auto mean = [&](const AgentView& block) {
    return experiment.network().mean_for_report(block);
  };
  const Ending last{mean(method.x()), mean(method.y())};
  if (!centered) return last;
  method.iterate(std::stoull(settings.at("run.iterations")));
  return {(last.x + mean(method.x())) / 2, (last.y + mean(method.y())) / 2};
}

double distance(const Ending& a, const Ending& b) {
  return std::hypot((a.x - b.x).norm(), (a.y - b.y).norm());
}

StrategyTraits default_traits(const std::string& strategy) {
  return traits_of({strategy_catalog(), strategy});
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
  /// Do strategies move variables of the method?
  static bool moves_any(const Settings& settings) {
    Configuration configuration = configuration_of(settings);
    GeneralOptions general;
    general.read_from(configuration);
    return !cost_of(general).roles.empty();
  }
  /// The distance to the answer with exact means; not a number where the composition is refused.
  double gap(const std::string& strategy, const Settings& more, const Ending& exact,
             bool centered = false) const {
    const Settings settings = with(strategy, more);
    try {
      return distance(end_of(settings, centered), exact);
    } catch (const Error& error) {
      EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(ErrorKind::usage));
      EXPECT_FALSE(default_traits(strategy).projectable) << error.what();
      return std::nan("");
    }
  }
  static Settings seeded(const Settings& more, std::size_t instance) {
    return more + Settings{{"run.seed", std::to_string(instance + 1)}};
  }
  std::vector<Ending> exact_endings(const Settings& more, std::size_t instances) const {
    std::vector<Ending> endings;
    for (std::size_t k = 0; k < instances; ++k) {
      endings.push_back(end_of(with("all-reduce", seeded(more, k)), true));
    }
    return endings;
  }
  /// Root mean square of the gaps of instances with seeds 1, 2, ...
  double typical_gap(const std::string& strategy, const Settings& more,
                     const std::vector<Ending>& exact) const {
    double sum = 0;
    for (std::size_t k = 0; k < exact.size(); ++k) {
      sum += std::pow(gap(strategy, seeded(more, k), exact[k], true), 2);
    }
    return std::sqrt(sum / static_cast<double>(exact.size()));
  }
  /// Those without bias that make a difference to the method.
  std::vector<std::string> strategies(const Settings& settings) const {
    // Dynamic average consensus is one and the same, whatever name asks for it.
    if (!moves_any(with("gt-atc", settings))) return {"gt-atc"};
    std::vector<std::string> names;
    for (const StrategyEntry& strategy : strategy_catalog()) {
      const StrategyTraits traits = strategy.traits(strategy.options);
      if (traits.exact_on_heterogeneous && !traits.personal && !traits.averages_exactly) {
        names.push_back(strategy.name);
      }
    }
    return names;
  }
  void expect_proportion(const Row& row) const {
    const std::size_t instances = row.expected == Expected::wanders ? 4 : 1;
    const std::vector<Ending> exact = exact_endings(row.settings, instances);
    const std::vector<Ending> exact_halved = exact_endings(row.halved, instances);
    for (const std::string& strategy : strategies(row.settings)) {
      const double coarse = typical_gap(strategy, row.settings, exact);
      if (std::isnan(coarse)) continue;
      if (!method.means_first && default_traits(strategy).has_server) {
        EXPECT_LT(coarse, 1e-6) << strategy << " with one local step";
        continue;
      }
      const double fine = typical_gap(strategy, row.halved, exact_halved);
      std::printf("%-8s %-20s gap %.2e, with half the step %.2e, ratio %.2f\n", method.name.c_str(),
                  strategy.c_str(), coarse, fine, coarse / fine);
      EXPECT_LT(coarse, row.most) << strategy;
      EXPECT_GT(coarse, 1.5 * fine) << strategy;
      if (row.expected == Expected::drifts) continue;
      EXPECT_LT(coarse, 3 * fine) << strategy;
    }
  }
  /// Every strategy by its name: those with a bias show it.
  void expect_exact_or_biased(const Row& row, const Ending& exact) const {
    for (const StrategyEntry& strategy : strategy_catalog()) {
      const StrategyTraits traits = strategy.traits(strategy.options);
      if (traits.personal || traits.averages_exactly) continue;
      const double error = gap(strategy.name, row.settings, exact);
      if (std::isnan(error)) continue;
      if (traits.exact_on_heterogeneous) {
        EXPECT_LT(error, 1e-6) << strategy.name;
      } else {
        const double least = feel_no_difference.count(method.name) > 0 ? -1 : 1e-5;
        EXPECT_GT(error, least) << strategy.name << " is biased";
        EXPECT_LT(error, 5) << strategy.name;
      }
    }
  }
};

TEST_P(EveryMethod, EndsAtItsOwnAnswerUnderEveryStrategy) {
  const auto found = rows().find(method.name);
  ASSERT_NE(found, rows().end()) << "no row for this method: say what is expected of it";
  const Row& row = found->second;
  if (row.expected != Expected::settles) return expect_proportion(row);
  const Ending exact = end_of(with("all-reduce", row.settings));
  if (!method.means_first) return expect_exact_or_biased(row, exact);
  for (const std::string& strategy : strategies(row.settings)) {
    const double error = gap(strategy, row.settings, exact);
    if (std::isnan(error)) continue;
    EXPECT_LT(error, 1e-6) << strategy;
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
  const auto bome = [](const std::string& step) {
    return Settings{{"method.carry", "yes"},     {"method.upper_decay", "0"},
                    {"method.lower_decay", "0"}, {"method.gamma", "0.1"},
                    {"method.alpha", step},      {"method.beta", step}};
  };
  const auto wander = [](const std::string& step, const std::string& iterations) {
    return Settings{{"method.alpha", step}, {"run.iterations", iterations}};
  };
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
       {Expected::settles, scaled({{"method.delta", "0.1"},
                                   {"method.gamma", "0.2"},
                                   {"method.alpha", "0.01"},
                                   {"method.beta", "0.01"}},
                                  "8000")}},
      {"bvfim", {Expected::settles, {{"problem.start", "2"}, {"problem.heterogeneity", "0.5"}}}},
      {"scalebio", {Expected::settles, {}}},
      {"bome",
       {Expected::alternates, scaled(bome("0.01"), "16000"), scaled(bome("0.005"), "32000"), 4e-3}},
      {"pgd-cqa",
       {Expected::alternates, scaled({{"method.gamma", "0.005"}}, "32000"),
        scaled({{"method.gamma", "0.0025"}}, "64000"), 1e-2}},
      {"rxgf",
       {Expected::settles, scaled({{"method.gamma", "0.005"}, {"method.alpha", "1"}}, "16000")}},
      {"sqcqp", {Expected::settles, {}}},
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
       {Expected::drifts, scaled({{"method.alpha", "0.05"}, {"method.beta", "0.02"}}, "1000"),
        scaled({{"method.alpha", "0.05"}, {"method.beta", "0.02"}}, "4000"), 2e-4}},
      {"aid-identity", {Expected::settles, inner}},
      {"one-step", {Expected::settles, inner}},
      {"stocbio", {Expected::settles, neumann}},
      {"sustain", {Expected::settles, single + constant + Settings{{"method.truncation", "sum"}}}},
      {"mrbo", {Expected::settles, single + constant}},
      {"qnbo", {Expected::settles, single + Settings{{"run.iterations", "1000"}}}},
      {"ma-dsbo", {Expected::settles, implicit_steps}},
      {"sigd", {Expected::settles, {{"run.iterations", "400"}}}},
      {"ds-blo", {Expected::settles, {{"run.iterations", "400"}}}},
      {"aipod", {Expected::settles, {{"run.iterations", "2000"}}}},
      {"e-aipod", {Expected::settles, {{"run.iterations", "4000"}}}},
      {"adbo", {Expected::settles, {}}},
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
      {"pzobo", {Expected::wanders, wander("0.01", "1000"), wander("0.005", "2000"), 5e-4}},
      {"hozog", {Expected::wanders, wander("0.01", "1000"), wander("0.005", "2000"), 2e-3}},
  };
  return all;
}

}  // namespace
}  // namespace echelon
