#pragma once
/// The testing kit: what every part of a kind owes to the others, for tests of parts of your own.
/// Needs GoogleTest; failures are GoogleTest's. A test program initializes MPI, on any number of
/// ranks, and calls
///
///     echelon::contract::check_method("heavy-ball", {{"method.alpha", "0.05"}});
///
/// after it has added its parts to the catalogs. Collective, except for problems, compressors,
/// estimators and topologies.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "echelon/echelon.hpp"

namespace echelon::contract {

/// Keeps what a part carries from step to step; writes it back once `restoring` is true.
class StateCopy final : public StateVisitor {
 public:
  std::map<std::string, Eigen::MatrixXd> blocks;
  std::map<std::string, double> numbers;
  std::map<std::string, std::int64_t> counters;
  bool restoring = false;

 private:
  template <class State, class Kept>
  void keep(State& state, Kept& kept) const {
    if (restoring) {
      state = kept;
    } else {
      kept = state;
    }
  }
  void visit(const std::string& name, AgentMatrix& block) override { keep(block, blocks[name]); }
  void visit(const std::string& name, double& number) override { keep(number, numbers[name]); }
  void visit(const std::string& name, std::int64_t& counter) override {
    keep(counter, counters[name]);
  }
  void visit(const std::string& name, Eigen::MatrixXd& table) override {
    keep(table, blocks[name]);
  }
};

template <class Part>
StateCopy state_of(Part& part) {
  StateCopy copy;
  part.visit_state(copy);
  return copy;
}

/// Gives `part` the state of another.
template <class Part>
void give(Part& part, StateCopy state) {
  state.restoring = true;
  part.visit_state(state);
}

/// One column of normal numbers per local agent, the same on any number of ranks.
inline AgentMatrix random_block(const AgentSet& agents, Index rows, std::uint64_t stream,
                                double scale) {
  AgentMatrix block(rows, agents.count());
  for (int i = 0; i < agents.count(); ++i) {
    Draws draws(1, Purpose::start, agents.local[static_cast<std::size_t>(i)], stream);
    for (Index r = 0; r < rows; ++r) block(r, i) = scale * draws.normal();
  }
  return block;
}

// Problems
// -------------------------------------------------------------------------------------------------

/// A problem at a point of its sets, with a vector to multiply by.
struct ProblemAtPoint {
  explicit ProblemAtPoint(BilevelProblem& its_problem)
      : problem(its_problem),
        x(random_block(problem.agents(), problem.upper_dimension(), 1, 0.6)),
        y(random_block(problem.agents(), problem.lower_dimension(), 2, 0.2)),
        v(random_block(problem.agents(), problem.lower_dimension(), 3, 0.5)) {
    move_inside(x, problem.upper_set(), problem.start_x());
    move_inside(y, problem.lower_set(), problem.start_y());
  }

  /// Half way from the start to the projections of the points: inside convex sets.
  static void move_inside(AgentMatrix& block, const FeasibleSet& set, const VectorXd& start) {
    for (Index i = 0; i < block.cols(); ++i) {
      VectorXd point = block.col(i) + start;
      set.project(point);
      block.col(i) = 0.5 * (point + start);
    }
  }

  BilevelProblem& problem;
  AgentMatrix x, y, v;
};

/// Gradients are the slopes of the values, by central differences.
inline void check_slopes(const ProblemAtPoint& at) {
  BilevelProblem& problem = at.problem;
  const AgentSet& agents = problem.agents();
  const Index p = at.x.rows(), q = at.y.rows();
  AgentMatrix gx(p, agents.count()), gy(q, agents.count());
  const AgentMatrix dx = random_block(agents, p, 4, 1), dy = random_block(agents, q, 5, 1);
  for (const Level level : {Level::upper, Level::lower}) {
    const EvaluationPoint point{at.x, at.y, &gx, &gy};
    // The y-gradient leaves a nonsmooth term out.
    const double weight = level == Level::lower && problem.has_nonsmooth_term() ? 0 : 1;
    if (level == Level::upper) {
      problem.grad_f(Sample::everything(), {point});
    } else {
      problem.grad_g(Sample::everything(), {point});
    }
    for (int i = 0; i < agents.count(); ++i) {
      const double h = 1e-5;
      const auto along = [&](double t) {
        const VectorXd xt = at.x.col(i) + t * dx.col(i);
        const VectorXd yt = at.y.col(i) + t * weight * dy.col(i);
        return problem.value(level, i, Sample::everything(), ConstVector(xt.data(), p),
                             ConstVector(yt.data(), q));
      };
      const double slope = gx.col(i).dot(dx.col(i)) + weight * gy.col(i).dot(dy.col(i));
      EXPECT_NEAR((along(h) - along(-h)) / (2 * h), slope, 1e-6 * (1 + std::abs(slope)))
          << (level == Level::upper ? "f" : "g") << " of local agent " << i;
    }
  }
}

/// All agents at once give the bits of one at a time, several points those of each up to rounding.
inline void check_batches(const ProblemAtPoint& at) {
  BilevelProblem& problem = at.problem;
  const int agents = problem.agents().count();
  const Index p = at.x.rows(), q = at.y.rows();
  AgentMatrix gx(p, agents), gy(q, agents), gx_v(p, agents), gy_v(q, agents), alone(q, agents);
  const auto column = [](const AgentView& block, int i) {
    return ConstVector(block.data() + i * block.outerStride(), block.rows());
  };
  const Sample sample{.iteration = 3, .step = 1};
  problem.grad_g(sample, {{at.x, at.y, &gx, &gy}, {at.x, at.v, &gx_v, &gy_v}});
  for (int i = 0; i < agents; ++i) {
    VectorXd one_x(p), one_y(q);
    const AgentPoint point{column(at.x, i), column(at.y, i), Vector(one_x.data(), p),
                           Vector(one_y.data(), q)};
    const AgentPoint second{column(at.x, i), column(at.v, i), Vector(nullptr, 0),
                            Vector(alone.col(i).data(), q)};
    const AgentPoint both[] = {point, second};
    problem.gradient(Level::lower, i, sample, both);
    EXPECT_EQ(one_x, gx.col(i));
    EXPECT_EQ(one_y, gy.col(i));
    EXPECT_EQ(alone.col(i), gy_v.col(i));
  }
  problem.grad_g(sample, {{at.x, at.v, nullptr, &alone}});
  EXPECT_LT((alone - gy_v).norm(), 1e-12 * (1 + gy_v.norm()));
}

/// Exact products, where the problem offers them, are those of differences of gradients.
inline void check_products(const ProblemAtPoint& at) {
  BilevelProblem& problem = at.problem;
  if (!problem.has_exact_products()) return;
  const int agents = problem.agents().count();
  const Index p = at.x.rows(), q = at.y.rows();
  AgentMatrix hv(q, agents), jv(p, agents), hv_d(q, agents), jv_d(p, agents);
  problem.exact_product(Sample::everything(), {at.x, at.y, at.v, &hv, &jv});
  for (const auto rule : {DifferenceStep::Rule::relative, DifferenceStep::Rule::capped,
                          DifferenceStep::Rule::absolute}) {
    const double width = rule == DifferenceStep::Rule::relative ? 6e-6 : 1e-4;
    problem.difference_product(Sample::everything(), {at.x, at.y, at.v, &hv_d, &jv_d},
                               {rule, width});
    EXPECT_LT((hv - hv_d).norm(), 1e-5 * (1 + hv.norm()));
    EXPECT_LT((jv - jv_d).norm(), 1e-5 * (1 + jv.norm()));
  }
}

/// Metrics are as many as their names, baselines have gradients, the start is in the sets.
inline void check_facets(const ProblemAtPoint& at) {
  BilevelProblem& problem = at.problem;
  const auto column = [](const AgentView& block, int i) {
    return ConstVector(block.data() + i * block.outerStride(), block.rows());
  };
  if (const auto* metrics = problem.facet<Metrics>()) {
    VectorXd sums = VectorXd::Zero(metrics->metric_sums());
    for (int i = 0; i < problem.agents().count(); ++i) {
      problem.add_metric_sums(i, column(at.x, i), column(at.y, i), sums);
    }
    EXPECT_EQ(metrics->finish_metrics(sums).size(), metrics->metric_names().size());
  }
  const auto* given = problem.facet<Baselines>();
  for (std::size_t b = 0; given != nullptr && b < given->baselines().size(); ++b) {
    VectorXd gy(at.y.rows());
    problem.baseline_gradient(b, 0, column(at.y, 0), Vector(gy.data(), gy.size()));
    EXPECT_TRUE(gy.allFinite());
  }
  const auto expect_in = [](const FeasibleSet& set, const VectorXd& point) {
    VectorXd moved = point;
    set.project(moved);
    EXPECT_LT((moved - point).norm(), 1e-12 * (1 + point.norm())) << set.text();
  };
  ASSERT_EQ(problem.start_x().size(), at.x.rows());
  ASSERT_EQ(problem.start_y().size(), at.y.rows());
  expect_in(problem.upper_set(), problem.start_x());
  expect_in(problem.lower_set(), problem.start_y());
}

/// All of that. The problem has local agents, and computes in double.
inline void check_gradients(BilevelProblem& problem) {
  const ProblemAtPoint at(problem);
  check_slopes(at);
  check_batches(at);
  check_products(at);
  check_facets(at);
}

// Strategies
// -------------------------------------------------------------------------------------------------

/// Agent i's objective 1/2 (s - t_i)' D_i (s - t_i), diagonal D_i in [0.5, 1.5], t_i of its own.
struct OwnQuadratic {
  static constexpr Index dimension = 4;
  VectorXd curvature = VectorXd(dimension), center = VectorXd(dimension);
  explicit OwnQuadratic(AgentId agent) {
    Draws draws(3, Purpose::problem_data, agent);
    for (Index r = 0; r < dimension; ++r) {
      curvature(r) = 0.5 + draws.uniform();
      center(r) = 3 * draws.normal();
    }
  }

  static VectorXd minimizer_of_mean(AgentId agents) {
    VectorXd weighted = VectorXd::Zero(dimension), total = VectorXd::Zero(dimension);
    for (AgentId a = 0; a < agents; ++a) {
      const OwnQuadratic own(a);
      weighted += own.curvature.cwiseProduct(own.center);
      total += own.curvature;
    }
    return weighted.cwiseQuotient(total);
  }
  static AgentMatrix gradients(const Network& network, const AgentView& value) {
    AgentMatrix gradient(dimension, network.agents().count());
    for (int i = 0; i < gradient.cols(); ++i) {
      const OwnQuadratic own(network.agents().local[static_cast<std::size_t>(i)]);
      gradient.col(i) = own.curvature.cwiseProduct(value.col(i) - own.center);
    }
    return gradient;
  }
};

/// Networks with what the strategy asks for: a ring, one whose links fail, a directed one.
inline std::vector<SharedSchedule> networks_for(const StrategyTraits& traits) {
  TopologyOptions ring;
  ring.agents = 7;
  std::vector<SharedSchedule> all{make_schedule(ring)};
  if (traits.changing_network) {
    ring.link_failure = 0.3;
    all.push_back(make_schedule(ring));
  }
  if (traits.need == NetworkNeed::connected) {
    all.push_back(periodic({uniform_weights(Graph(
        6, {{1, 0}, {2, 1}, {3, 2}, {4, 3}, {5, 4}, {0, 5}, {0, 2}, {0, 3}, {3, 1}, {5, 2}}))}));
  }
  return all;
}

/// What the traits say of network means holds at each of 100 steps.
inline void check_invariant(Network& network, const Chosen<StrategyEntry>& strategy) {
  const Invariant invariant = traits_of(strategy).invariant;
  ConsensusVariable variable(network, "s", VectorXd::Zero(OwnQuadratic::dimension), strategy);
  const auto carried = [&](const char* name) {
    const StateCopy state = state_of(variable);
    const Eigen::MatrixXd& kept = state.blocks.at(name);
    AgentMatrix block(kept.rows(), kept.cols());
    block = kept;
    return block;
  };
  double largest = 1;
  for (int k = 0; k < 100; ++k) {
    const double a = 0.05 + 0.02 * std::sin(k);
    const VectorXd before = network.mean_for_report(variable.value());
    const AgentMatrix gradient = OwnQuadratic::gradients(network, variable);
    const VectorXd mean_gradient = network.mean_for_report(gradient);
    largest = std::max(
        {largest, mean_gradient.lpNorm<Eigen::Infinity>(), before.lpNorm<Eigen::Infinity>()});
    variable.descend(a, gradient);
    if (invariant == Invariant::mean_step) {
      const VectorXd after = network.mean_for_report(variable.value());
      ASSERT_LT((after - (before - a * mean_gradient)).lpNorm<Eigen::Infinity>(), 1e-12 * largest)
          << "the mean of the values does not step along the mean direction, step " << k;
    } else if (invariant == Invariant::tracker_mean) {
      const VectorXd tracked = network.mean_for_report(carried("tracker"));
      ASSERT_LT((tracked - mean_gradient).lpNorm<Eigen::Infinity>(), 1e-12 * largest)
          << "the mean of the trackers is not the mean direction, step " << k;
    } else if (invariant == Invariant::unit_mass) {
      const AgentMatrix mass = carried("mass");
      ASSERT_NEAR(network.sum_for_report(mass)(0), network.size(), 1e-12) << "step " << k;
      ASSERT_TRUE((mass.array() > 0).all()) << "step " << k;
    }
  }
}

/// Mean distance of the agents to the minimizer of the mean objective after some steps.
inline double distance_after(int steps, double step, Network& network,
                             const Chosen<StrategyEntry>& strategy) {
  ConsensusVariable variable(network, "s", VectorXd::Zero(OwnQuadratic::dimension), strategy);
  for (int k = 0; k < steps; ++k) {
    variable.descend(step, OwnQuadratic::gradients(network, variable));
  }
  const VectorXd minimizer = OwnQuadratic::minimizer_of_mean(network.size());
  AgentMatrix distance(1, network.agents().count());
  for (int i = 0; i < distance.cols(); ++i) {
    distance(0, i) = (variable.value().col(i) - minimizer).norm();
  }
  return network.mean_for_report(distance)(0);
}

/// From its state, a new variable goes on with the same bits.
inline void check_state(Network& network, const Chosen<StrategyEntry>& strategy) {
  const VectorXd zero = VectorXd::Zero(OwnQuadratic::dimension);
  ConsensusVariable original(network, "s", zero, strategy), resumed(network, "s", zero, strategy);
  const auto step = [&](ConsensusVariable& variable) {
    variable.descend(0.2, OwnQuadratic::gradients(network, variable));
  };
  for (int k = 0; k < 7; ++k) step(original);
  give(resumed, state_of(original));
  for (int k = 0; k < 7; ++k) {
    step(original);
    step(resumed);
  }
  EXPECT_EQ(Eigen::MatrixXd(original.value()), Eigen::MatrixXd(resumed.value()))
      << "not all that is carried from step to step is visited";
}

/// One agent alone takes plain steps.
inline void check_single_agent(const Chosen<StrategyEntry>& strategy, MPI_Comm communicator) {
  Network network(Communicator(communicator), MixingMatrix({{{0, 1.0}}}));
  ConsensusVariable variable(network, "s", VectorXd::Zero(OwnQuadratic::dimension), strategy);
  const OwnQuadratic own(0);
  VectorXd expected = VectorXd::Zero(OwnQuadratic::dimension);
  for (int k = 0; k < 20; ++k) {
    variable.descend(0.2, OwnQuadratic::gradients(network, variable));
    expected -= 0.2 * own.curvature.cwiseProduct(expected - own.center);
  }
  if (network.agents().count() == 1) {
    EXPECT_LT((variable.value().col(0) - expected).norm(), 1e-13);
  }
}

/// All of that; exact strategies reach the minimizer of the mean within `steps`, the error of the
/// others shrinks with the step.
inline void check_strategy(const Chosen<StrategyEntry>& strategy, int steps = 800,
                           MPI_Comm communicator = MPI_COMM_WORLD) {
  SCOPED_TRACE("strategy " + strategy->name);
  const StrategyTraits traits = traits_of(strategy);
  for (const SharedSchedule& schedule : networks_for(traits)) {
    Network network(Communicator(communicator), schedule);
    check_invariant(network, strategy);
    check_state(network, strategy);
  }
  check_single_agent(strategy, communicator);
  if (traits.personal) return;
  Network network(Communicator(communicator), networks_for(traits).front());
  const double error = distance_after(steps, 0.2, network, strategy);
  if (traits.exact_on_heterogeneous) {
    EXPECT_LT(error, 1e-12);
  } else {
    EXPECT_GT(error, 1e-6) << "this strategy is exact: say so in its traits";
    EXPECT_LT(distance_after(4 * steps, 0.05, network, strategy), error / 2);
  }
}

// Compressors
// -------------------------------------------------------------------------------------------------

inline VectorXd round_trip(const Compressor& compressor, const VectorXd& v, std::uint64_t round) {
  const auto size = static_cast<std::size_t>(v.size());
  const MessageKey key{.seed = 1, .round = round};
  std::vector<std::byte> message(compressor.bytes(v.size()));
  VectorXd decoded = VectorXd::Constant(v.size(), 7);
  compressor.encode({v.data(), size}, key, message);
  compressor.decode(message, key, {decoded.data(), size});
  return decoded;
}

/// Messages lose as little as `contraction` says (in the mean over 100 keys, up to five standard
/// errors), are the same for the same key, keep zero, and pass on what is not finite.
inline void check_compressor(const Chosen<CompressorEntry>& chosen,
                             const std::vector<Index>& dimensions = {1, 2, 3, 8, 9, 64, 1000}) {
  SCOPED_TRACE("compressor " + chosen->name);
  for (const Index d : dimensions) {
    const auto compressor = make_compressor(chosen, d);
    const double delta = compressor->contraction(d);
    EXPECT_GT(delta, 0);
    EXPECT_LE(delta, 1);
    const double shrink = compressor->unbiased() ? 1 / (1 + compressor->variance(d)) : 1;
    Draws draws(9, Purpose::start, 0);
    std::vector<VectorXd> vectors(3, VectorXd::Zero(d));
    for (Index r = 0; r < d; ++r) vectors[0](r) = draws.normal();
    vectors[1].setConstant(-2.5);
    vectors[2](d / 2) = 3;
    for (const VectorXd& v : vectors) {
      double sum = 0, squares = 0;
      constexpr int keys = 100;
      for (int k = 0; k < keys; ++k) {
        const VectorXd sent = round_trip(*compressor, v, static_cast<std::uint64_t>(k));
        EXPECT_EQ(sent, round_trip(*compressor, v, static_cast<std::uint64_t>(k)));
        const double error = (shrink * sent - v).squaredNorm() / v.squaredNorm();
        sum += error;
        squares += error * error;
      }
      const double mean = sum / keys;
      const double spread = std::sqrt(std::max(0.0, squares / keys - mean * mean) / keys);
      EXPECT_LE(mean, (1 - delta) * (1 + 1e-13) + 5 * spread + 1e-28) << d << " numbers";
    }
    EXPECT_EQ(round_trip(*compressor, VectorXd::Zero(d), 0), VectorXd::Zero(d));
    VectorXd bad = vectors[0];
    bad(d - 1) = std::numeric_limits<double>::infinity();
    EXPECT_TRUE(round_trip(*compressor, bad, 0).array().isNaN().all()) << d << " numbers";
  }
}

// Topologies
// -------------------------------------------------------------------------------------------------

/// With each number of agents: the graph is connected (over its period), directed only where it
/// says so, repeats after its period, and weights of rows or columns sum to 1.
inline void check_topology(const Chosen<TopologyEntry>& chosen,
                           const std::vector<AgentId>& sizes = {4, 8, 16}) {
  SCOPED_TRACE("topology " + chosen->name);
  for (const AgentId agents : sizes) {
    SCOPED_TRACE(std::to_string(agents) + " agents");
    TopologyOptions options;
    options.agents = agents;
    options.topology = chosen;
    const SharedSchedule schedule = make_schedule(options);
    const Certificate certificate = certify(*schedule);
    EXPECT_EQ(certificate.agents, agents);
    EXPECT_TRUE(certificate.connected);
    EXPECT_TRUE(certificate.row_stochastic || certificate.column_stochastic);
    const std::uint64_t period = schedule->period();
    bool undirected = true;
    for (std::uint64_t round = 0; round < std::max<std::uint64_t>(period, 1); ++round) {
      const auto matrix = schedule->at(round);
      undirected = undirected && matrix->graph().is_undirected();
      if (period == 0) continue;
      const auto later = schedule->at(round + period);
      for (AgentId i = 0; i < agents; ++i) {
        const auto row = matrix->row(i), again = later->row(i);
        EXPECT_TRUE(std::equal(row.begin(), row.end(), again.begin(), again.end(),
                               [](const auto& a, const auto& b) {
                                 return a.sender == b.sender && a.weight == b.weight;
                               }))
            << "round " << round << " does not come again after " << period << " rounds";
      }
    }
    if (chosen->is_directed) {
      EXPECT_EQ(undirected, !chosen->is_directed(agents));
    }
  }
}

// Estimators
// -------------------------------------------------------------------------------------------------

/// Without noise at a fixed point the estimate becomes the gradient; a new estimator goes on from
/// the state of another with the same bits; one that forgets is as new.
inline void check_estimator(const Chosen<EstimatorEntry>& chosen, int calls = 400) {
  SCOPED_TRACE("estimator " + chosen->name);
  const AgentSet agents{3, {0, 1, 2}};
  const EstimatorContext context{
      .outputs = {4, 2}, .arguments = {4, 2}, .agents = agents.local, .sub_batch_seed = 5};
  const AgentMatrix first = random_block(agents, 4, 6, 1), second = random_block(agents, 2, 7, 1);
  const auto estimate = [&](GradientEstimator& estimator, std::uint64_t k, double noise) {
    const Oracle oracle = [&](const Sample& sample, OraclePoint point, OracleOutputs outputs) {
      for (std::size_t b = 0; b < outputs.size(); ++b) {
        *outputs[b] = (1 + noise * std::sin(static_cast<double>(sample.iteration))) * *point[b];
      }
    };
    AgentMatrix a(4, 3), b(2, 3);
    estimator.estimate(Sample{.iteration = k}, {&first, &second}, oracle, {&a, &b});
    Eigen::MatrixXd both(6, 3);
    both << a, b;
    return both;
  };
  Eigen::MatrixXd gradient(6, 3);
  gradient << first, second;

  const auto quiet = make_estimator(chosen, context);
  Eigen::MatrixXd last;
  for (int k = 0; k < calls; ++k) last = estimate(*quiet, static_cast<std::uint64_t>(k), 0);
  EXPECT_LT((last - gradient).norm(), 1e-9 * gradient.norm());

  const auto original = make_estimator(chosen, context), resumed = make_estimator(chosen, context);
  for (std::uint64_t k = 0; k < 7; ++k) estimate(*original, k, 0.3);
  give(*resumed, state_of(*original));
  for (std::uint64_t k = 7; k < 14; ++k) {
    EXPECT_EQ(estimate(*original, k, 0.3), estimate(*resumed, k, 0.3)) << "call " << k;
  }
  original->forget();
  const auto fresh = make_estimator(chosen, context);
  for (std::uint64_t k = 20; k < 24; ++k) {
    EXPECT_EQ(estimate(*original, k, 0.3), estimate(*fresh, k, 0.3)) << "call " << k;
  }
}

// Methods
// -------------------------------------------------------------------------------------------------

using Settings = std::vector<std::pair<std::string, std::string>>;

/// On the problem `quadratic`, whose solution is known, with 5 agents on a ring and gradient
/// tracking, unless `settings` say otherwise: x comes within `tolerance` of the solution in
/// `run.iterations` (2000), a resumed run has the same bits, and an iteration costs what a preview
/// of the run says.
inline void check_method(const std::string& name, const Settings& settings = {},
                         double tolerance = 1e-6, MPI_Comm communicator = MPI_COMM_WORLD) {
  SCOPED_TRACE("method " + name);
  Configuration configuration;
  for (const auto& [key, value] : Settings{{"problem.name", "quadratic"},
                                           {"problem.upper_dimension", "3"},
                                           {"problem.lower_dimension", "4"},
                                           {"network.agents", "5"},
                                           {"metrics.every", "100"},
                                           {"run.iterations", "2000"}}) {
    configuration.set(key, value, "check_method");
  }
  configuration.set("method.name", name, "check_method");
  for (const auto& [key, value] : settings) configuration.set(key, value, "check_method");
  const auto make = [&] {
    return std::make_unique<Experiment>(Communicator(communicator), configuration,
                                        FileDataSource());
  };
  const auto whole = make(), resumed = make();
  const CompositionCost cost = cost_of(whole->general(), whole->problem().upper_dimension(),
                                       whole->problem().lower_dimension());
  const auto half = static_cast<std::uint64_t>(whole->run_options().iterations / 2);
  const auto iterate = [](Experiment& experiment, std::uint64_t from, std::uint64_t until) {
    for (std::uint64_t k = from; k < until; ++k) {
      experiment.begin_iteration(k);
      experiment.method().iterate(k);
    }
  };
  const auto same_bits = [](const AgentView& a, const AgentView& b) {
    return Eigen::MatrixXd(a) == Eigen::MatrixXd(b);
  };
  iterate(*whole, 0, half);
  give(resumed->method(), state_of(whole->method()));
  const OracleCounts before = whole->problem().counts();
  iterate(*whole, half, 2 * half);
  iterate(*resumed, half, 2 * half);
  EXPECT_TRUE(same_bits(whole->method().x(), resumed->method().x()) &&
              same_bits(whole->method().y(), resumed->method().y()))
      << "not all that is carried from iteration to iteration is visited";
  const Index p = whole->problem().upper_dimension(), q = whole->problem().lower_dimension();
  if (cost.varies == Varies::exact) {
    const OracleCounts after = whole->problem().counts();
    const double calls =
        static_cast<double>(whole->network().agents().count()) * static_cast<double>(half);
    EXPECT_EQ(static_cast<double>(after.gradients - before.gradients),
              cost.gradients(p, q) * calls);
    EXPECT_EQ(static_cast<double>(after.products - before.products), cost.products(p, q) * calls);
    EXPECT_EQ(static_cast<double>(after.values - before.values), cost.values(p, q) * calls);
  }
  const auto known = whole->problem().known_solutions(whole->consensus().personal());
  ASSERT_FALSE(known.empty() || known.front().x.size() == 0)
      << "the solution of this problem is not known; choose another with problem.name";
  const VectorXd mean = whole->network().mean_for_report(whole->method().x());
  EXPECT_LT((mean - known.front().x).norm(), tolerance * (1 + known.front().x.norm()));
}

}  // namespace echelon::contract
