// What a problem offers is offered by every problem made from it: each facet through each
// decorator, and whole runs in which clients take turns.

#include <gtest/gtest.h>
#include <hdf5.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "echelon/core/error.hpp"
#include "echelon/experiment/run_directory.hpp"
#include "echelon/io/inspect.hpp"
#include "echelon/problem/client_problem.hpp"
#include "echelon/problem/partition.hpp"
#include "method/answers.hpp"

namespace echelon {
namespace {

namespace fs = std::filesystem;
using namespace testing_support;

ConstVector view(const VectorXd& v) {
  return {v.data(), v.size()};
}
Vector into(VectorXd& v) {
  return {v.data(), v.size()};
}

/// f_i = i x, g_i = i y with the agent's id i; nothing optional.
class Bare : public BilevelProblem {
 public:
  using BilevelProblem::BilevelProblem;
  Index upper_dimension() const override { return 1; }
  Index lower_dimension() const override { return 2; }
  VectorXd start_x() const override { return VectorXd::Constant(1, 3); }
  VectorXd start_y() const override { return VectorXd::Constant(2, 4); }
  bool takes_part(int local) const override { return id(local) != 7; }
  double value(Level level, int local, const Sample&, const ConstVector& x,
               const ConstVector& y) const override {
    return id(local) * (level == Level::upper ? x(0) : y(0));
  }
  void gradient(Level, int local, const Sample&,
                std::span<const AgentPoint> points) const override {
    for (AgentPoint point : points) {
      if (point.wants_gx()) point.gx.setConstant(id(local));
      if (point.wants_gy()) point.gy.setConstant(-id(local));
    }
  }

 protected:
  double id(int local) const {
    return static_cast<double>(agents().local[static_cast<std::size_t>(local)]);
  }
};

/// Offers everything that a problem of agents can offer.
class Everything final : public Bare,
                         public SecondOrder,
                         public FactoredHessian,
                         public FeasibleSets,
                         public LowerConstraints,
                         public NonsmoothTerm,
                         public KnownSolutions,
                         public LowerSolution,
                         public Metrics,
                         public Baselines,
                         public HeldData,
                         public PartitionedSamples,
                         public SubBatches {
 public:
  using Bare::Bare;

  void product(int local, const Sample&, const AgentProduct& product) const override {
    Vector hv = product.hv;
    hv.setConstant(id(local));
  }
  std::optional<HessianFactors> hessian_factors(int local, const ConstVector&,
                                                const ConstVector&) const override {
    return HessianFactors{VectorXd::Constant(2, id(local)), {}};
  }
  const FeasibleSet& upper_set() const override { return simplex_; }
  const FeasibleSet& lower_set() const override { return simplex_; }
  const LinearConstraints* lower_constraints() const override { return &constraints_; }
  bool has_nonsmooth_term() const override { return true; }
  void lower_prox(double t, const ConstVector&, Vector y) const override { y.setConstant(t); }
  std::vector<KnownSolution> known_solutions(bool personal) const override {
    return {{VectorXd::Constant(1, personal ? 5 : 6), {}, 0}};
  }
  std::optional<VectorXd> lower_solution(const VectorXd& x) const override { return 2 * x; }
  std::vector<std::string> metric_names() const override { return {"mean_id", "y"}; }
  Index metric_sums() const override { return 3; }
  void add_metric_sums(int local, const ConstVector&, const ConstVector& y,
                       Eigen::Ref<VectorXd> sums) const override {
    sums += Eigen::Vector3d(1, id(local), y(0));
  }
  std::vector<double> finish_metrics(const VectorXd& sums) const override {
    return {sums(1) / sums(0), sums(2) / sums(0)};
  }
  std::vector<BaselineInfo> baselines() const override { return {{"mean", "y = mean id"}}; }
  void baseline_gradient(std::size_t, int local, const ConstVector& y, Vector gy) const override {
    gy = y - VectorXd::Constant(2, id(local));
  }
  std::int64_t data_bytes() const override { return 11; }
  const PartitionReport& partition_report() const override { return report_; }
  std::uint64_t sub_batch_seed() const override { return 13; }

 private:
  FeasibleSet simplex_ = FeasibleSet::simplex();
  LinearConstraints constraints_;
  PartitionReport report_;
};

/// The agents of another problem in opposite order.
class Reversed : public ProblemDecorator {
 public:
  explicit Reversed(std::unique_ptr<BilevelProblem> problem)
      : ProblemDecorator(AgentSet{problem->agents().total, {}}, std::move(problem)) {}
  Reversed(AgentSet agents, std::unique_ptr<BilevelProblem> problem)
      : ProblemDecorator(std::move(agents), std::move(problem)) {}

 private:
  int inner_agent(int local) const override { return inner()->agents().count() - 1 - local; }
};

std::unique_ptr<BilevelProblem> reversed(std::unique_ptr<BilevelProblem> problem) {
  AgentSet agents = problem->agents();
  return std::make_unique<Reversed>(std::move(agents), std::move(problem));
}

/// A facet is asked for one local agent of `outer`, whom `inner` knows by `number`.
struct Question {
  const BilevelProblem& outer;
  const Everything& inner;
  int local;
  int number;
  VectorXd x = VectorXd::Constant(1, 0.5);
  VectorXd y = VectorXd::Constant(2, 0.25);
  VectorXd out = VectorXd::Zero(2);
  double id() const {
    return static_cast<double>(inner.agents().local[static_cast<std::size_t>(number)]);
  }
};

struct FacetCheck {
  std::function<bool(const BilevelProblem&)> is_offered;
  std::function<void(Question)> is_the_same;
};

template <class Wanted>
FacetCheck check(std::function<void(Question)> functions) {
  return {[](const BilevelProblem& problem) { return problem.facet<Wanted>() != nullptr; },
          [functions](Question at) {
            const Wanted* own = &at.inner;
            EXPECT_EQ(at.outer.facet<Wanted>(), own);
            const auto of_agent = at.outer.facet<Wanted>(at.local);
            EXPECT_EQ(of_agent.facet, own);
            EXPECT_EQ(of_agent.local, at.number);
            functions(std::move(at));
          }};
}

/// Every facet that a problem of agents can offer, by the name of its class.
const std::map<std::string, FacetCheck>& facets() {
  static const std::map<std::string, FacetCheck> all{
      {"SecondOrder", check<SecondOrder>([](Question at) {
         EXPECT_TRUE(at.outer.has_exact_products());
         at.outer.product(at.local, {},
                          {view(at.x), view(at.y), view(at.y), into(at.out), Vector(nullptr, 0)});
         EXPECT_EQ(at.out(0), at.id());
       })},
      {"FactoredHessian", check<FactoredHessian>([](const Question& at) {
         const auto factors = at.outer.hessian_factors(at.local, view(at.x), view(at.y));
         EXPECT_EQ(factors.value().diagonal(0), at.id());
       })},
      {"FeasibleSets", check<FeasibleSets>([](const Question& at) {
         EXPECT_EQ(&at.outer.upper_set(), &at.inner.upper_set());
         EXPECT_EQ(&at.outer.lower_set(), &at.inner.lower_set());
       })},
      {"LowerConstraints", check<LowerConstraints>([](const Question& at) {
         EXPECT_EQ(at.outer.lower_constraints(), at.inner.lower_constraints());
       })},
      {"NonsmoothTerm", check<NonsmoothTerm>([](Question at) {
         EXPECT_TRUE(at.outer.has_nonsmooth_term());
         at.outer.lower_prox(0.125, view(at.x), into(at.out));
         EXPECT_EQ(at.out(1), 0.125);
       })},
      {"KnownSolutions", check<KnownSolutions>([](const Question& at) {
         EXPECT_EQ(at.outer.known_solutions(true).front().x(0), 5);
         EXPECT_EQ(at.outer.known_solutions(false).front().x(0), 6);
       })},
      {"LowerSolution", check<LowerSolution>([](const Question& at) {
         EXPECT_EQ(at.outer.lower_solution(at.x).value()(0), 1);
       })},
      {"Metrics", check<Metrics>([](const Question& at) {
         VectorXd sums = VectorXd::Zero(3);
         at.outer.add_metric_sums(at.local, view(at.x), view(at.y), sums);
         EXPECT_EQ(sums, Eigen::Vector3d(1, at.id(), 0.25));
       })},
      {"Baselines", check<Baselines>([](Question at) {
         at.outer.baseline_gradient(0, at.local, view(at.y), into(at.out));
         EXPECT_EQ(at.out(0), 0.25 - at.id());
       })},
      {"HeldData", check<HeldData>([](const Question&) {})},
      {"PartitionedSamples", check<PartitionedSamples>([](const Question&) {})},
      {"SubBatches",
       check<SubBatches>([](const Question& at) { EXPECT_EQ(at.outer.sub_batch_seed(), 13U); })},
  };
  return all;
}

/// Twelve clients of four seats, one agent of which leaves out its answer at times.
std::shared_ptr<Participation> rounds_of_clients() {
  ParticipationOptions options;
  options.clients = 12;
  options.probability = 0.8;
  return std::make_shared<Participation>(options, 4, RoundShape{}, 5);
}

const AgentSet seats{4, {0, 1, 2, 3}};

/// Ways to make a problem from another one, with the number that the innermost problem gives to a
/// local agent.
struct Wrapping {
  std::string name;
  std::unique_ptr<BilevelProblem> problem;
  std::function<int(int local)> number;
  std::function<bool(int local)> answers;
};

template <class Problem>
struct Wrapped {
  const Problem* inner;
  std::vector<Wrapping> all;
};

int client_of(const Participation& rounds, int seat) {
  const std::int64_t place = rounds.place(seat);
  return static_cast<int>(rounds.client(seat, std::max<std::int64_t>(0, place)));
}

/// Each decorator alone, and each pair. Local numbers of clients are their ids here.
template <class Problem>
std::vector<std::pair<const Problem*, Wrapping>> wrappings(
    const std::shared_ptr<Participation>& rounds) {
  const auto clients = [&](std::unique_ptr<BilevelProblem> problem) {
    return std::make_unique<ClientProblem>(seats, std::move(problem), rounds);
  };
  const AgentSet everybody = clients_of(*rounds, seats);
  std::vector<std::pair<const Problem*, Wrapping>> all;
  const auto add = [&](const std::string& name, const auto& wrap, const auto& number,
                       const auto& answers) {
    auto problem = std::make_unique<Problem>(everybody);
    const Problem* inner = problem.get();
    all.emplace_back(inner, Wrapping{name, wrap(std::move(problem)), number, answers});
  };
  const auto always = [](int) { return true; };
  const Participation& now = *rounds;
  add(
      "reversed", reversed, [](int local) { return 11 - local; }, always);
  add(
      "clients", clients, [&now](int seat) { return client_of(now, seat); },
      [&now](int seat) { return now.answers(seat); });
  add(
      "clients of reversed", [&](auto problem) { return clients(reversed(std::move(problem))); },
      [&now](int seat) { return 11 - client_of(now, seat); },
      [&now](int seat) { return now.answers(seat); });
  add(
      "reversed clients", [&](auto problem) { return reversed(clients(std::move(problem))); },
      [&now](int local) { return client_of(now, 3 - local); },
      [&now](int local) { return now.answers(3 - local); });
  return all;
}

TEST(Facets, EveryFacetIsTheSameThroughEveryDecorator) {
  const auto rounds = rounds_of_clients();
  const auto all = wrappings<Everything>(rounds);
  for (std::uint64_t k = 0; k < 5; ++k) {
    rounds->begin(k);
    for (const auto& [inner, wrapping] : all) {
      for (int local = 0; local < wrapping.problem->agents().count(); ++local) {
        for (const auto& [name, facet] : facets()) {
          SCOPED_TRACE(name + " through " + wrapping.name);
          facet.is_the_same({*wrapping.problem, *inner, local, wrapping.number(local)});
        }
      }
    }
  }
}

TEST(Facets, WhatEveryProblemHasIsTheSameThroughEveryDecorator) {
  const auto rounds = rounds_of_clients();
  const auto all = wrappings<Bare>(rounds);
  int left_out = 0;
  for (std::uint64_t k = 0; k < 5; ++k) {
    rounds->begin(k);
    for (const auto& [inner, wrapping] : all) {
      SCOPED_TRACE(wrapping.name);
      const BilevelProblem& outer = *wrapping.problem;
      EXPECT_EQ(outer.upper_dimension(), 1);
      EXPECT_EQ(outer.lower_dimension(), 2);
      EXPECT_EQ(outer.start_x()(0), 3);
      EXPECT_EQ(outer.start_y()(1), 4);
      for (int local = 0; local < outer.agents().count(); ++local) {
        const int number = wrapping.number(local);
        const VectorXd x = VectorXd::Ones(1), y = VectorXd::Ones(2);
        EXPECT_EQ(outer.value(Level::lower, local, {}, view(x), view(y)), number);
        VectorXd gx(1), gy(2);
        const AgentPoint point{view(x), view(y), into(gx), into(gy)};
        outer.gradient(Level::upper, local, {}, {&point, 1});
        EXPECT_EQ(gx(0), number);
        EXPECT_EQ(gy(1), -number);
        const bool takes_part = wrapping.answers(local) && inner->takes_part(number);
        EXPECT_EQ(outer.takes_part(local), takes_part);
        left_out += takes_part ? 0 : 1;
      }
    }
  }
  EXPECT_GT(left_out, 0);
}

TEST(Facets, AProblemWithoutFacetsHasNoneThroughAnyDecorator) {
  const auto rounds = rounds_of_clients();
  rounds->begin(0);
  auto all = wrappings<Bare>(rounds);
  all.emplace_back(nullptr, Wrapping{"alone", std::make_unique<Bare>(AgentSet{1, {0}}), {}, {}});
  for (const auto& [inner, wrapping] : all) {
    SCOPED_TRACE(wrapping.name);
    const BilevelProblem& outer = *wrapping.problem;
    for (const auto& [name, facet] : facets()) EXPECT_FALSE(facet.is_offered(outer)) << name;
    EXPECT_TRUE(outer.upper_set().is_whole_space());
    EXPECT_TRUE(outer.lower_set().is_whole_space());
    EXPECT_EQ(outer.lower_constraints(), nullptr);
    EXPECT_FALSE(outer.has_nonsmooth_term());
    EXPECT_FALSE(outer.has_exact_products());
    EXPECT_FALSE(outer.sub_batch_seed().has_value());
    EXPECT_FALSE(outer.lower_solution(VectorXd::Ones(1)).has_value());
    EXPECT_TRUE(outer.known_solutions(false).empty());
    VectorXd x = VectorXd::Ones(1), y = VectorXd::Ones(2), moved = y;
    outer.lower_prox(1, view(x), into(moved));
    EXPECT_EQ(moved, y);
    EXPECT_FALSE(outer.hessian_factors(0, view(x), view(y)).has_value());
    EXPECT_THROW(outer.product(0, {}, {view(x), view(y), view(y), into(moved), into(x)}), Error);
  }
}

TEST(Facets, OfADecoratorComeBeforeThoseOfItsProblem) {
  class Reseeded final : public Reversed, public SubBatches {
   public:
    using Reversed::Reversed;
    std::uint64_t sub_batch_seed() const override { return 17; }
  };
  const auto rounds = rounds_of_clients();
  const AgentSet everybody = clients_of(*rounds, seats);
  auto reseeded = std::make_unique<Reseeded>(everybody, std::make_unique<Everything>(everybody));
  const ClientProblem outer(seats, std::move(reseeded), rounds);
  EXPECT_EQ(outer.sub_batch_seed(), 17U);
  EXPECT_EQ(outer.facet<HeldData>()->data_bytes(), 11);
}

TEST(Facets, TheClientsAreFoundThroughOtherDecorators) {
  const auto rounds = rounds_of_clients();
  rounds->begin(0);
  const auto all = wrappings<Everything>(rounds);
  for (const auto& [inner, wrapping] : all) {
    const auto* clients = wrapping.problem->facet<Clients>();
    ASSERT_EQ(clients != nullptr, wrapping.name != "reversed") << wrapping.name;
    if (clients == nullptr) continue;
    EXPECT_EQ(&clients->participation(), rounds.get());
    for (const AgentId seat : seats.local) {
      for (std::int64_t place = 0; place < 3; ++place) {
        EXPECT_EQ(clients->client(seat, place), rounds->client(seat, place));
      }
    }
  }
}

// What the tests above ask is complete --------------------------------------------------------

std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  std::stringstream all;
  all << file.rdbuf();
  return all.str();
}

/// First groups of all matches in all sources of the library.
std::set<std::string> found_in_sources(const std::regex& pattern) {
  std::set<std::string> found;
  for (const fs::path folder : {"include", "src"}) {
    for (const auto& entry :
         fs::recursive_directory_iterator(fs::path(ECHELON_SOURCE_DIR) / folder)) {
      if (!entry.is_regular_file()) continue;
      const std::string text = text_of(entry.path());
      for (std::sregex_iterator match(text.begin(), text.end(), pattern), end; match != end;
           ++match) {
        found.insert((*match)[1]);
      }
    }
  }
  return found;
}

TEST(Facets, AreAllAskedAbove) {
  std::set<std::string> asked{"Clients"};
  for (const auto& [name, facet] : facets()) asked.insert(name);
  EXPECT_EQ(found_in_sources(std::regex(R"(class (\w+)(?: final)? : public Facet\b)")), asked);
}

TEST(Facets, AreAskedThroughEveryDecorator) {
  EXPECT_EQ(found_in_sources(std::regex(R"(class (\w+)(?: final)? :[\w\s,]*\bProblemDecorator\b)")),
            (std::set<std::string>{"ClientProblem"}));
}

TEST(Facets, DecoratorsForwardEveryVirtualFunctionOfAProblem) {
  const fs::path headers = fs::path(ECHELON_SOURCE_DIR) / "include/echelon/problem";
  std::string problem = text_of(headers / "problem.hpp");
  problem = problem.substr(problem.find("class BilevelProblem {"));
  problem = problem.substr(0, problem.find("\n};"));
  const std::string decorator = text_of(headers / "decorator.hpp");
  const std::regex declaration(R"(virtual [^;{(~]*?(\w+)\()");
  std::size_t count = 0;
  for (std::sregex_iterator match(problem.begin(), problem.end(), declaration), end; match != end;
       ++match, ++count) {
    const std::string name = (*match)[1];
    EXPECT_TRUE(std::regex_search(
        decorator, std::regex("\\b" + name + R"(\([^;{]*\) const (override|final))")))
        << name;
  }
  EXPECT_GE(count, 9U);
}

// Figures and runs ------------------------------------------------------------------------------

double figure(const Evaluator& evaluator, const std::vector<double>& row, const std::string& name) {
  for (std::size_t c = 0; c < row.size(); ++c) {
    if (evaluator.columns()[c].name == name) return row[c];
  }
  ADD_FAILURE() << "no column " << name;
  return 0;
}

TEST(FacetsOfClients, BaselinesAreSolvedOverAllOfThemWhoeverIsReported) {
  Network network(Communicator(MPI_COMM_WORLD), make_schedule(TopologyOptions{.agents = 4}));
  ParticipationOptions options;
  options.clients = 12;
  const auto rounds = std::make_shared<Participation>(options, 4, RoundShape{}, 5);
  double first_of_groups = 0;
  for (AgentId seat = 0; seat < 4; ++seat) {
    first_of_groups += static_cast<double>(rounds->client(seat, 0)) / 4;
  }
  ASSERT_NE(first_of_groups, 5.5);
  for (const bool personal : {false, true}) {
    for (const std::int64_t reported : {0, 4}) {
      const ClientProblem problem(
          network.agents(), std::make_unique<Everything>(clients_of(*rounds, network.agents())),
          rounds);
      Evaluator evaluator(problem, network, MetricsOptions{.clients = reported}, personal);
      const auto baselines = evaluator.baselines();
      ASSERT_EQ(baselines.size(), 1U);
      EXPECT_TRUE(baselines[0].converged);
      EXPECT_NEAR(baselines[0].values[0], reported == 0 ? 5.5 : first_of_groups, 1e-12);
      EXPECT_NEAR(baselines[0].values[1], 5.5, 1e-5);
    }
  }
}

TEST(FacetsOfClients, FiguresAreOfAllOfThem) {
  Network network(Communicator(MPI_COMM_WORLD), make_schedule(TopologyOptions{.agents = 4}));
  ParticipationOptions options;
  options.clients = 12;
  const auto rounds = std::make_shared<Participation>(options, 4, RoundShape{}, 5);
  rounds->begin(0);
  const ClientProblem problem(network.agents(),
                              std::make_unique<Everything>(clients_of(*rounds, network.agents())),
                              rounds);
  Evaluator evaluator(problem, network, MetricsOptions{}, false);
  AgentMatrix x(1, network.agents().count()), y(2, network.agents().count());
  x.setConstant(2);
  y.setConstant(0.5);
  const auto row = evaluator.evaluate(x, y);
  EXPECT_NEAR(figure(evaluator, row, "upper_value"), 11, 1e-12);
  EXPECT_NEAR(figure(evaluator, row, "mean_id"), 5.5, 1e-12);
  EXPECT_NEAR(figure(evaluator, row, "distance_to_solution"), 4, 1e-12);
  EXPECT_NEAR(figure(evaluator, row, "hyperobjective"), 11, 1e-12);
  EXPECT_EQ(evaluator.metric_names(), (std::vector<std::string>{"mean_id", "y"}));
}

/// Of the run directories; every rank knows it.
fs::path scratch(const Communicator& communicator) {
  const std::string name = text("echelon-facets-", communicator.broadcast(text(getpid()), 0));
  return fs::temp_directory_path() / name;
}

double number_in(const fs::path& file, const std::string& dataset) {
  const hid_t in = H5Fopen(file.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  const hid_t data = H5Dopen2(in, dataset.c_str(), H5P_DEFAULT);
  double value = std::nan("");
  EXPECT_GE(H5Dread(data, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, &value), 0) << dataset;
  H5Dclose(data);
  H5Fclose(in);
  return value;
}

/// A whole run with its files, as the command makes it. Collective.
void run_to_the_end(const Settings& settings) {
  Experiment experiment(Communicator(MPI_COMM_WORLD), configuration_of(settings), FileDataSource());
  const Communicator& communicator = experiment.network().communicator();
  const fs::path folder = scratch(communicator);
  const auto directory = RunDirectory::create(experiment, folder);
  const auto baselines = experiment.evaluator().baselines();
  Requests requests;
  RunHooks hooks;
  hooks.report = [&](const std::vector<double>& row) { directory->append(row); };
  hooks.checkpoint = [&](std::uint64_t iteration, double seconds) {
    directory->save(iteration, seconds);
  };
  const Outcome outcome = experiment.runner().run(hooks, requests);
  EXPECT_EQ(status_text(outcome.status), status_text(Status::iterations_done)) << outcome.detail;
  directory->write_result(outcome, baselines);
  if (communicator.rank() == 0) {
    EXPECT_TRUE(inspect(folder).sound);
    const auto names = experiment.evaluator().metric_names();
    for (const auto& baseline : baselines) {
      EXPECT_TRUE(baseline.converged) << baseline.info.name;
      ASSERT_EQ(baseline.values.size(), names.size());
      for (std::size_t c = 0; c < names.size(); ++c) {
        const double written =
            number_in(folder / "result.h5", "/baselines/" + baseline.info.name + "/" + names[c]);
        EXPECT_TRUE(written == baseline.values[c] ||
                    (std::isnan(written) && std::isnan(baseline.values[c])))
            << baseline.info.name << " " << names[c];
      }
    }
    const auto* samples = experiment.problem().facet<PartitionedSamples>();
    EXPECT_EQ(fs::exists(folder / "partition.csv"), samples != nullptr);
    fs::remove_all(folder);
  }
  communicator.barrier("the end of a test");
}

Settings clients(const std::string& problem) {
  return small_problem(problem) + method("soba", 6) +
         Settings{{"network.agents", "4"},         {"consensus.strategy", "local-server"},
                  {"consensus.local_steps", "2"},  {"method.alpha", "0.01"},
                  {"method.beta", "0.01"},         {"method.gamma", "0.01"},
                  {"metrics.baselines", "yes"},    {"metrics.every", "3"},
                  {"run.checkpoint_seconds", "0"}, {"participation.clients", "8"}};
}

const Settings everybody{{"participation.clients", "4"}};
const Settings some{{"participation.clients", "4"}, {"participation.probability", "0.7"}};

TEST(RunsOfClients, EndWithBaselinesMetricsAndResultUnderEveryEstimator) {
  for (const char* problem : {"hyper-cleaning", "ridge"}) {
    for (const auto& estimator : estimator_catalog()) {
      Settings chosen = clients(problem) + Settings{{"estimator.name", estimator.name}};
      if (estimator.name == "saga") chosen["estimator.saga_batches"] = "2";
      for (const Settings& who : {Settings{}, everybody, some}) {
        SCOPED_TRACE(std::string(problem) + " " + estimator.name + " " +
                     (who.empty() ? "clients take turns" : who.rbegin()->first));
        if (estimator.name == "saga" && who.empty()) {
          EXPECT_NE(refusal(chosen).find("clients take turns"), std::string::npos);
          continue;
        }
        run_to_the_end(chosen + who);
      }
    }
  }
}

TEST(RunsOfClients, EndWithTheResultOfEveryProblem) {
  for (const auto& problem : problem_catalog()) {
    SCOPED_TRACE(problem.name);
    for (const char* lower : {"local-server", "none"}) {
      // A proximal map needs a method that takes it.
      const char* method = problem.name == "sparse-regression" ? "meha" : "soba";
      run_to_the_end(clients(problem.name) + Settings{{"method.name", method},
                                                      {"consensus.y", lower},
                                                      {"consensus.auxiliary", lower}});
    }
  }
}

TEST(RunsOfClients, HaveTheBaselinesOfTheirClientsAsAgents) {
  const Settings agents{{"problem.name", "hyper-cleaning"}, {"network.agents", "8"}};
  const Settings plain = small_problem("hyper-cleaning") + agents;
  Experiment all(Communicator(MPI_COMM_WORLD), configuration_of(plain), FileDataSource());
  Experiment turns(Communicator(MPI_COMM_WORLD), configuration_of(clients("hyper-cleaning")),
                   FileDataSource());
  const auto expected = all.evaluator().baselines();
  const auto found = turns.evaluator().baselines();
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t b = 0; b < found.size(); ++b) {
    EXPECT_EQ(found[b].values[0], expected[b].values[0]) << expected[b].info.name;
    EXPECT_NEAR(found[b].values[1], expected[b].values[1], 1e-9) << expected[b].info.name;
  }
}

TEST(RunsOfClients, WhoAllAnswerKeepTheTablesOfAgents) {
  Settings saga = clients("ridge") + Settings{{"estimator.name", "saga"},
                                              {"estimator.saga_batches", "2"},
                                              {"consensus.strategy", "all-reduce"},
                                              {"metrics.baselines", "no"}};
  saga.erase("consensus.local_steps");
  Settings agents = saga;
  agents.erase("participation.clients");
  const Settings present{{"participation.clients", "4"}};
  EXPECT_EQ(end_of(agents).x, end_of(saga + present).x);
}

}  // namespace
}  // namespace echelon
