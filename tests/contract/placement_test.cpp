// Promises 1 and 2: result.h5 is the same file on any number of ranks and threads, and after a
// restart anywhere.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "catalog_names.hpp"
#include "compositions.hpp"
#include "echelon/compression/compressor.hpp"
#include "echelon/core/catalog.hpp"
#include "echelon/core/parallel.hpp"
#include "echelon/core/random.hpp"
#include "echelon/experiment/run_directory.hpp"

namespace echelon {
namespace {

using namespace testing_support;
namespace fs = std::filesystem;

/// The first `ranks` ranks of the world.
class FirstRanks {
 public:
  explicit FirstRanks(int ranks) {
    int rank = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_split(MPI_COMM_WORLD, rank < ranks ? 0 : MPI_UNDEFINED, rank, &comm_);
  }
  ~FirstRanks() {
    if (comm_ != MPI_COMM_NULL) MPI_Comm_free(&comm_);
  }
  FirstRanks(const FirstRanks&) = delete;
  FirstRanks& operator=(const FirstRanks&) = delete;
  bool takes_part() const { return comm_ != MPI_COMM_NULL; }
  MPI_Comm get() const { return comm_; }

 private:
  MPI_Comm comm_ = MPI_COMM_NULL;
};

fs::path scratch_folder() {
  static const fs::path folder = [] {
    const Communicator world(MPI_COMM_WORLD);
    char name[] = "/tmp/echelon-placement-XXXXXX";
    const std::string made = world.rank() == 0 ? mkdtemp(name) : "";
    return fs::path(world.broadcast(made, 0));
  }();
  return folder;
}

class RemovesScratch : public testing::Environment {
  void TearDown() override {
    MPI_Barrier(MPI_COMM_WORLD);
    int rank = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank == 0) fs::remove_all(scratch_folder());
  }
};
const auto* const removes_scratch = testing::AddGlobalTestEnvironment(new RemovesScratch);

std::string file_bytes(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

struct Place {
  int ranks;
  int threads;
};

/// Runs on `place` from the start, or from the newest checkpoint in `folder`, and returns the bytes
/// of result.h5 on rank 0.
std::string run_at(const Place& place, const Settings& settings, const fs::path& folder,
                   bool resumes) {
  const FirstRanks some(place.ranks);
  std::string bytes;
  if (some.takes_part()) {
    set_thread_count(place.threads);
    Experiment experiment(Communicator(some.get()), configuration_of(settings), FileDataSource());
    std::vector<std::string> remarks;
    const auto directory = resumes ? RunDirectory::open(experiment, folder, remarks)
                                   : RunDirectory::create(experiment, folder);
    EXPECT_TRUE(remarks.empty()) << remarks.front();
    Requests requests;
    RunHooks hooks;
    hooks.checkpoint = [&](std::uint64_t iteration, double seconds) {
      directory->save(iteration, seconds);
    };
    const Outcome outcome = experiment.runner().run(hooks, requests);
    directory->write_result(outcome, {});
    if (experiment.network().communicator().rank() == 0) bytes = file_bytes(folder / "result.h5");
    set_thread_count(1);
  }
  MPI_Barrier(MPI_COMM_WORLD);
  return bytes;
}

Settings composition(const Settings& problem, const std::string& method,
                     const std::string& strategy) {
  return problem +
         Settings{
             {"method.name", method},
             {"consensus.strategy", strategy},
             {"consensus.x", strategy == "none" ? "gt-atc" : ""},  // x is never personal
             {"network.agents", "6"},
             {"run.iterations", "5"},
             {"metrics.every", "2"},
             {"metrics.hypergradient", problem.at("problem.name") == "quadratic" ? "yes" : "no"},
             {"run.checkpoint_seconds", "0"}};
}

Settings composition(const std::string& problem, const std::string& method,
                     const std::string& strategy) {
  return composition(small_problem(problem), method, strategy);
}

/// False for strategies whose memory a method's projections or restarts would spoil: those, and
/// only those, refuse some methods.
bool is_served(const Settings& settings) {
  try {
    const Experiment experiment(Communicator(MPI_COMM_WORLD), configuration_of(settings),
                                FileDataSource());
    return true;
  } catch (const Error& error) {
    const StrategyTraits strategy =
        traits_of({strategy_catalog(), settings.at("consensus.strategy")});
    EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(ErrorKind::usage)) << error.what();
    EXPECT_TRUE(!strategy.projectable || strategy.personal) << error.what();
    return false;
  }
}

/// Compositions beyond the grid of methods and strategies, with a name for messages.
std::map<std::string, Settings> special_compositions() {
  const Settings f2sa = composition("quadratic", "f2sa", "gt-atc");
  const auto with = [&](const std::string& strategy, const Settings& more) {
    return composition("quadratic", "f2sa", strategy) + more;
  };
  std::map<std::string, Settings> all;
  for (const auto& compressor : compressor_catalog()) {
    for (const char* strategy : {"compressed-tracking", "choco"}) {
      Settings settings{{"consensus.compressor", compressor.name}};
      for (const auto& option : describe_options(compressor.options)) {
        if (option.name == "compression_ratio") settings["consensus.compression_ratio"] = "0.4";
      }
      all[compressor.name + " " + strategy] = with(strategy, settings);
    }
  }
  const Settings failing{{"network.link_failure", "0.3"}, {"network.agent_failure", "0.1"}};
  for (const char* strategy : {"gossip-atc", "gossip-cta", "push-pull", "push-sum"}) {
    all["failing links " + std::string(strategy)] = with(strategy, failing);
    for (const char* topology : {"one-peer-exponential", "random-matching", "base-k"}) {
      all[text(topology, " ", strategy)] = with(strategy, {{"network.topology", topology}});
    }
  }
  for (const char* strategy : {"push-pull", "push-sum"}) {
    all["directed, failing " + std::string(strategy)] =
        with(strategy, failing + Settings{{"network.topology", "exponential"}});
  }
  all["several rounds"] = with("gt-semi", {{"consensus.mixing_rounds", "3"}});
  all["chebyshev"] =
      with("gt-atc", {{"consensus.mixing_rounds", "3"}, {"consensus.chebyshev", "yes"}});
  all["several rounds extra"] = with("extra", {{"consensus.mixing_rounds", "2"}});
  all["local steps"] = with("local-server", {{"consensus.local_steps", "3"}});
  all["control variates"] = with("local-server-cv", {{"consensus.local_steps", "3"}});
  all["a network per variable"] = f2sa + Settings{{"network-x.topology", "complete"},
                                                  {"network-y.topology", "star"},
                                                  {"consensus.y", "exact-diffusion"},
                                                  {"consensus-y.mixing_rounds", "2"}};
  for (const char* rule : {"accumulated", "accumulated-local", "normalized"}) {
    all["steps " + std::string(rule)] = f2sa + Settings{{"steps.rule", rule}};
  }
  const Settings noisy{{"problem.noise", "0.1"}};
  for (const auto& estimator : estimator_catalog()) {
    all["estimator " + estimator.name] =
        f2sa + noisy + Settings{{"estimator.name", estimator.name}};
  }
  all["more ranks than agents"] =
      f2sa + noisy +
      Settings{{"network.agents", "3"}, {"metrics.every", "1"}, {"method.richardson", "yes"}};
  all["minibatches"] = composition("hyper-cleaning", "soba", "gt-semi") +
                       Settings{{"network.agents", "3"},
                                {"problem.batch", "7"},
                                {"problem.partition", "dirichlet"},
                                {"problem.dirichlet_alpha", "0.05"}};
  all["sub-batches"] =
      composition("hyper-cleaning", "soba", "extra") + Settings{{"estimator.name", "saga"}};
  all["orders and averages"] =
      composition("quadratic", "soba", "gt-semi") + Settings{{"method.order", "gauss-seidel"},
                                                             {"method.theta", "0.3"},
                                                             {"method.eta", "0.5"},
                                                             {"method.difference", "forward"}};
  all["trackers that start anew"] =
      composition("quadratic", "ma-dsbo", "gt-atc") + Settings{{"method.carry_trackers", "no"}};
  const Settings turns{{"participation.clients", "14"},      {"consensus.local_steps", "2"},
                       {"participation.probability", "0.8"}, {"participation.compute_seconds", "1"},
                       {"participation.compute_sigma", "1"}, {"problem.heterogeneity", "0.5"}};
  for (const char* strategy : {"local-server", "local-server-cv"}) {
    all["clients take turns " + std::string(strategy)] =
        composition("quadratic", "soba", strategy) + turns;
    all["clients with lower levels of their own " + std::string(strategy)] =
        composition("quadratic", "soba", strategy) + turns +
        Settings{{"consensus.y", "none"}, {"method.theta", "0.5"}, {"estimator.name", "storm"}};
  }
  all["clients with data"] = composition("hyper-cleaning", "f2sa", "local-server-cv") +
                             Settings{{"participation.clients", "14"}, {"problem.batch", "3"}};
  all["bounded staleness"] = composition("quadratic", "soba", "stale-server") +
                             Settings{{"participation.policy", "bounded-staleness"},
                                      {"participation.wait_for", "2"},
                                      {"participation.staleness", "3"},
                                      {"participation.compute_seconds", "1"},
                                      {"participation.compute_sigma", "1"}};
  const Settings lies{
      {"network.agents", "7"}, {"network.topology", "complete"}, {"attack.fraction", "0.15"}};
  const auto attack = [](const std::string& kind) {
    Settings settings{{"attack.kind", kind}};
    if (kind != "nan") settings["attack.scale"] = "2";
    return settings;
  };
  const auto robust = [&](const std::string& strategy, const std::string& rule,
                          const std::string& kind) {
    return composition("quadratic", "f2sa", strategy) + lies + attack(kind) +
           Settings{{"consensus.aggregation", rule}};
  };
  const auto lying_neighbors = [&](const std::string& strategy, const std::string& kind) {
    return composition("quadratic", "f2sa", strategy) + lies + attack(kind);
  };
  for (const char* rule : {"median", "trimmed-mean", "centered-clipping"}) {
    all["rule " + std::string(rule)] = robust("all-reduce", rule, "noise");
    all["rule and local steps " + std::string(rule)] =
        robust("local-server-cv", rule, "little") + Settings{{"consensus.local_steps", "2"}};
    all["rule and clients take turns " + std::string(rule)] =
        robust("local-server-cv", rule, "sign-flip") + turns + Settings{{"method.name", "soba"}};
  }
  all["rule and means first"] =
      robust("all-reduce", "centered-clipping", "noise") + Settings{{"method.name", "bome"}};
  all["rule and bounded staleness"] = all["bounded staleness"] + lies + attack("noise") +
                                      Settings{{"consensus.aggregation", "centered-clipping"}};
  all["rule that mixes the nearest"] =
      robust("all-reduce", "median", "little") + Settings{{"consensus.mix_nearest", "yes"}};
  all["attack on gossip"] = lying_neighbors("gossip-atc", "noise");
  for (const char* kind : {"noise", "little", "dissensus", "nan"}) {
    all["attack on clipped gossip " + std::string(kind)] = lying_neighbors("clipped-gossip", kind);
  }
  all["clipped gossip, several rounds, failing"] =
      with("clipped-gossip", failing + Settings{{"consensus.mixing_rounds", "2"}});
  all["messages only"] = f2sa + Settings{{"comm.share_memory", "no"}};
  return all;
}

void expect_same_file(const std::string& name, const Settings& settings,
                      const std::vector<Place>& places) {
  static int number = 0;
  const auto fresh_folder = [&] { return scratch_folder() / text("run-", number++); };
  const std::string expected = run_at({1, 1}, settings, fresh_folder(), false);
  for (const Place& place : places) {
    EXPECT_EQ(run_at(place, settings, fresh_folder(), false) == expected, true)
        << name << " on " << place.ranks << " ranks with " << place.threads << " threads";
  }
}

class EveryProblem : public testing::TestWithParam<std::string> {};

TEST_P(EveryProblem, HasTheSameResultFileOnAnyRanksAndThreads) {
  // A proximal map needs a method that takes it.
  const std::vector<std::string> methods = GetParam() == "sparse-regression"
                                               ? std::vector<std::string>{"meha"}
                                               : std::vector<std::string>{"f2ba", "soba"};
  for (const std::string& method : methods) {
    for (const char* strategy : {"all-reduce", "gt-atc"}) {
      expect_same_file(text(GetParam(), " ", method, " ", strategy),
                       composition(GetParam(), method, strategy), {{2, 1}, {3, 1}, {4, 1}, {1, 2}});
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Catalog, EveryProblem, testing_support::every_name(problem_catalog()),
                         testing_support::suffix);

class EveryMethod : public testing::TestWithParam<std::string> {
 protected:
  const MethodEntry& method = find_entry(method_catalog(), GetParam(), "method");
};

TEST_P(EveryMethod, HasTheSameResultFileOnAnyRanksAndThreadsWithEveryStrategy) {
  for (const auto& strategy : strategy_catalog()) {
    const Settings settings = composition(problem_for(method), method.name, strategy.name);
    if (!is_served(settings)) continue;
    expect_same_file(text(method.name, " ", strategy.name), settings, {{4, 1}, {1, 2}});
  }
  expect_same_file(method.name, composition(problem_for(method), method.name, "gt-atc"),
                   {{2, 1}, {3, 1}});
}

TEST(Placement, HoldsForCompressionFailuresNetworksAndEstimators) {
  for (const auto& [name, settings] : special_compositions()) {
    expect_same_file(name, settings, {{3, 1}, {4, 1}});
  }
}

TEST(Placement, AnotherSeedGivesAnotherFile) {
  // Another seed really changes the file, so the comparisons above can fail.
  const Settings settings = composition("quadratic", "soba", "gt-atc");
  const std::string one = run_at({1, 1}, settings, scratch_folder() / "seed-1", false);
  const std::string two =
      run_at({1, 1}, settings + Settings{{"run.seed", "2"}}, scratch_folder() / "seed-2", false);
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  if (rank == 0) {
    EXPECT_NE(one == two, true);
  }
}

/// Stops after a random number of iterations, resumes on another number of ranks.
void expect_same_file_after_a_restart(const std::string& name, const Settings& composed) {
  static int number = 0;
  const Settings settings = composed + Settings{{"run.iterations", "9"}, {"metrics.every", "3"}};
  const fs::path unbroken = scratch_folder() / text("unbroken-", number);
  const fs::path broken = scratch_folder() / text("broken-", number);
  const std::string expected = run_at({1, 1}, settings, unbroken, false);
  Draws draws(static_cast<std::uint64_t>(number++), Purpose::start);
  const std::string stop = std::to_string(1 + draws.below(8));
  const int first_ranks = 1 + static_cast<int>(draws.below(4));
  const int then_ranks = 1 + static_cast<int>(draws.below(4));
  run_at({first_ranks, 1}, settings + Settings{{"run.iterations", stop}}, broken, false);
  const std::string bytes = run_at({then_ranks, 1}, settings, broken, true);
  EXPECT_EQ(bytes == expected, true) << name << " stopped at " << stop << " on " << first_ranks
                                     << " ranks, resumed on " << then_ranks;
}

TEST_P(EveryMethod, RestartsAnywhereOnAnyRanksToTheSameFileWithEveryStrategy) {
  const Settings momentum{{"estimator.name", "momentum"}};
  for (const auto& strategy : strategy_catalog()) {
    const Settings settings =
        composition(problem_for(method), method.name, strategy.name) + momentum;
    if (!is_served(settings)) continue;
    expect_same_file_after_a_restart(text(method.name, " ", strategy.name), settings);
  }
}

INSTANTIATE_TEST_SUITE_P(Catalog, EveryMethod, testing_support::every_name(method_catalog()),
                         testing_support::suffix);

TEST(Restart, HoldsForRealData) {
  const Settings momentum{{"estimator.name", "momentum"}};
  for (const char* method : {"f2sa", "soba"}) {
    expect_same_file_after_a_restart(text("hyper-cleaning ", method),
                                     composition("hyper-cleaning", method, "gt-atc") + momentum);
  }
}

TEST(Restart, HoldsForCompressionFailuresNetworksAndEstimators) {
  for (const auto& [name, settings] : special_compositions()) {
    expect_same_file_after_a_restart(name, settings);
  }
}

}  // namespace
}  // namespace echelon
