#include "echelon/embed/gossip.hpp"
#include "part_settings.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "echelon/comm/mixer.hpp"
#include "echelon/core/random.hpp"

namespace echelon {
namespace {

MPI_Comm world() {
  return MPI_COMM_WORLD;
}
int rank_of(MPI_Comm comm) {
  int rank = 0;
  MPI_Comm_rank(comm, &rank);
  return rank;
}
int size_of(MPI_Comm comm) {
  int size = 1;
  MPI_Comm_size(comm, &size);
  return size;
}

TopologyOptions topology(const std::string& name) {
  TopologyOptions options;
  options.topology = name;
  return options;
}

/// Of rank `agent`, row `row`.
double entry(AgentId agent, std::size_t row) {
  return Draws(3, Purpose::start, agent, row).normal();
}

template <class Scalar>
std::vector<Scalar> entries(AgentId agent, std::size_t size) {
  std::vector<Scalar> x(size);
  for (std::size_t r = 0; r < size; ++r) x[r] = static_cast<Scalar>(entry(agent, r));
  return x;
}

double exact_mean(int agents, std::size_t row) {
  double sum = 0;
  for (AgentId a = 0; a < agents; ++a) sum += entry(a, row);
  return sum / agents;
}

template <class Scalar>
double distance_to_mean(const std::vector<Scalar>& x, int agents) {
  double most = 0;
  for (std::size_t r = 0; r < x.size(); ++r) {
    most = std::max(most, std::abs(static_cast<double>(x[r]) - exact_mean(agents, r)));
  }
  return most;
}

/// Row `rank` of W^T applied to all ranks' numbers in `values[rank]`, by the definition and in
/// double.
using Values = std::vector<std::vector<double>>;
Values all_entries(int agents, std::size_t size) {
  Values values;
  for (AgentId a = 0; a < agents; ++a) values.push_back(entries<double>(a, size));
  return values;
}
Values mixed(const MixingMatrix& matrix, const Values& values) {
  Values result(values.size(), std::vector<double>(values[0].size(), 0.0));
  for (AgentId i = 0; i < matrix.agents(); ++i) {
    for (const auto& [sender, weight] : matrix.row(i)) {
      for (std::size_t r = 0; r < values[0].size(); ++r) {
        result[static_cast<std::size_t>(i)][r] +=
            weight * values[static_cast<std::size_t>(sender)][r];
      }
    }
  }
  return result;
}

template <class Scalar>
constexpr double rounding = std::is_same_v<Scalar, float> ? 2e-6 : 1e-14;

template <class Scalar>
void expect_near(const std::vector<Scalar>& found, const std::vector<double>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t r = 0; r < found.size(); ++r) {
    ASSERT_NEAR(found[r], expected[r], rounding<Scalar>) << "number " << r;
  }
}

template <class Scalar>
bool same_bits(const std::vector<Scalar>& a, const std::vector<Scalar>& b) {
  if (a.empty() || b.empty()) return a.empty() && b.empty();
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(Scalar)) == 0;
}

template <class Body>
void expect_error(const Body& body, const std::string& part, bool on_all_ranks = false) {
  try {
    body();
    ADD_FAILURE() << "no error; expected: " << part;
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(error.kind(), ErrorKind::usage) << message;
    EXPECT_NE(message.find(part), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_TRUE(error.on_all_ranks() || !on_all_ranks) << message;
  }
}

/// Every rank but the first sends half of what it has to the first, which keeps 1/n and spreads the
/// rest: columns sum to 1, rows do not.
MixingMatrix leaning_star(int ranks) {
  std::vector<std::vector<MixingMatrix::Entry>> rows(static_cast<std::size_t>(ranks));
  if (ranks == 1) return MixingMatrix({{{0, 1.0}}});
  rows[0].push_back({0, 1.0 / ranks});
  for (AgentId i = 1; i < ranks; ++i) {
    rows[0].push_back({i, 0.5});
    rows[static_cast<std::size_t>(i)] = {{0, 1.0 / ranks}, {i, 0.5}};
  }
  return MixingMatrix(rows, Sums::columns);
}

void ignore_errors(MPI_Comm*, int*, ...) {}

template <class Scalar>
class Gossip : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(Gossip, Scalars);

TYPED_TEST(Gossip, AppliesTheMatrix) {
  using Scalar = TypeParam;
  const int ranks = size_of(world());
  for (const bool share : {true, false}) {
    for (const char* name : {"ring", "star", "complete", "exponential"}) {
      GossipCommunicator gossip(world(), topology(name), {.share_memory = share});
      for (const std::size_t size : {1u, 5u, 2049u, 40'001u}) {
        if (size > 10'000 && name != std::string("ring")) continue;
        auto variable = gossip.variable<Scalar>("x", static_cast<Index>(size));
        auto x = entries<Scalar>(gossip.rank(), size);
        auto expected = mixed(*gossip.network().schedule().at(0), all_entries(ranks, size));
        variable.mix(std::span<Scalar>(x));
        expect_near(x, expected[static_cast<std::size_t>(gossip.rank())]);
        expected = mixed(*gossip.network().schedule().at(1), expected);
        std::vector<Scalar> out(size);
        variable.mix(x, out);
        expect_near(out, expected[static_cast<std::size_t>(gossip.rank())]);
        EXPECT_EQ(variable.round(), 2u);
      }
    }
  }
}

TYPED_TEST(Gossip, StartAndFinishGiveTheBitsOfMix) {
  using Scalar = TypeParam;
  for (const int rounds : {1, 3}) {
    GossipCommunicator gossip(world(), topology("ring"));
    const std::size_t size = 5000;
    const Mixing mixing{.rounds = rounds};
    auto first = gossip.variable<Scalar>("first", size, mixing);
    auto second = gossip.variable<Scalar>("second", size, mixing);
    auto third = gossip.variable<Scalar>("third", size, mixing);
    const auto x = entries<Scalar>(gossip.rank(), size);
    auto expected = x;
    first.mix(std::span<Scalar>(expected));

    auto y = x;
    auto z = x;
    std::vector<Scalar> result(size);
    second.start(y);
    third.start(z);  // both under way
    double work = 0;
    for (std::size_t r = 0; r < size; ++r) {
      y[r] = -1;  // buffers are free again
      work += std::sin(static_cast<double>(r));
      if (r % 1000 == 0) second.progress();
    }
    third.finish(z);
    second.finish(result);
    EXPECT_TRUE(std::isfinite(work));
    EXPECT_TRUE(same_bits(result, expected)) << rounds << " rounds";
    EXPECT_TRUE(same_bits(z, expected)) << rounds << " rounds";
    EXPECT_EQ(second.round(), first.round());
    EXPECT_EQ(first.round(), static_cast<std::uint64_t>(rounds));
  }
}

TYPED_TEST(Gossip, SendsEachNumberInItsOwnType) {
  using Scalar = TypeParam;
  GossipCommunicator gossip(world(), topology("ring"));
  auto variable = gossip.variable<Scalar>("x", 1000);
  std::vector<Scalar> x(1000, Scalar(1));
  const std::int64_t before = gossip.traffic().bytes;
  for (int round = 0; round < 3; ++round) variable.mix(std::span<Scalar>(x));
  const int ranks = gossip.size();
  const std::int64_t neighbors = ranks == 1 ? 0 : ranks == 2 ? 1 : 2;
  EXPECT_EQ(gossip.traffic().bytes - before,
            3 * neighbors * 1000 * static_cast<std::int64_t>(sizeof(Scalar)));
}

TYPED_TEST(Gossip, FollowsANetworkThatChanges) {
  using Scalar = TypeParam;
  for (const char* name : {"one-peer-exponential", "random-matching"}) {
    GossipCommunicator gossip(world(), topology(name));
    const std::size_t size = 40;
    auto variable = gossip.variable<Scalar>("x", size);
    auto x = entries<Scalar>(gossip.rank(), size);
    auto expected = all_entries(gossip.size(), size);
    for (std::uint64_t round = 0; round < 7; ++round) {
      EXPECT_EQ(variable.round(), round);
      variable.mix(std::span<Scalar>(x));
      expected = mixed(*gossip.network().schedule().at(round), expected);
      expect_near(x, expected[static_cast<std::size_t>(gossip.rank())]);
    }
  }
}

TYPED_TEST(Gossip, RunsOnOverlappingCommunicatorsAtOnce) {
  using Scalar = TypeParam;
  const int rank = rank_of(world());
  MPI_Comm pair = MPI_COMM_NULL;  // ranks {0, 1}, {2, 3}
  MPI_Comm_split(world(), rank / 2, -rank, &pair);
  {
    GossipCommunicator all(world(), topology("ring"));
    GossipCommunicator two(pair, topology("complete"));
    const std::size_t size = 3000;
    auto in_all = all.variable<Scalar>("x", size);
    auto in_two = two.variable<Scalar>("x", size);
    const auto x = entries<Scalar>(rank, size);
    std::vector<Scalar> y(size), z(size);
    const auto w = mixed(*all.network().schedule().at(0), all_entries(all.size(), size));
    const AgentId other = rank % 2 == 0 ? rank + 1 : rank - 1;
    for (int repeat = 0; repeat < 3; ++repeat) {
      in_all.start(x);
      in_two.start(x);
      in_two.finish(z);
      in_all.finish(y);
      expect_near(y, w[static_cast<std::size_t>(rank)]);
      for (std::size_t r = 0; r < size; ++r) {
        const double mean =
            two.size() == 1 ? entry(rank, r) : (entry(rank, r) + entry(other, r)) / 2;
        ASSERT_NEAR(z[r], mean, rounding<Scalar>);
      }
    }
    // Agents of the pair are ranks of its communicator, whose order is another.
    EXPECT_EQ(two.rank(), rank_of(pair));
  }
  MPI_Comm_free(&pair);
}

TYPED_TEST(Gossip, PushSumFindsTheMeanOnADirectedNetwork) {
  using Scalar = TypeParam;
  const int ranks = size_of(world());
  for (const bool listed : {true, false}) {
    TopologyOptions directed = topology("exponential");
    directed.weights = "column";
    GossipCommunicator gossip = listed ? GossipCommunicator(world(), leaning_star(ranks))
                                       : GossipCommunicator(world(), directed);
    const std::size_t size = 300;
    auto push_sum = gossip.push_sum<Scalar>("x", size);
    auto x = entries<Scalar>(gossip.rank(), size);
    push_sum.mix(std::span<Scalar>(x), 100);
    EXPECT_LE(distance_to_mean(x, ranks), rounding<Scalar> * 10);
    EXPECT_EQ(push_sum.round(), 100u);
    if (listed && ranks > 2) {  // plain mixing with these weights goes elsewhere
      auto plain = gossip.variable<Scalar>("plain", size);
      auto y = entries<Scalar>(gossip.rank(), size);
      for (int round = 0; round < 100; ++round) plain.mix(std::span<Scalar>(y));
      EXPECT_GT(distance_to_mean(y, ranks), 1e-2);
    }
  }
}

TYPED_TEST(Gossip, CompressedMixingConvergesAndKeepsTheMean) {
  using Scalar = TypeParam;
  const std::size_t size = 60;
  for (const char* compressor :
       {"top-k", "random-k", "random-k-unbiased", "quantization", "sign"}) {
    for (const char* name : {"ring", "star"}) {
      if (name == std::string("star") && compressor != std::string("top-k")) continue;
      GossipCommunicator gossip(world(), topology(name));
      CompressedMixing mixing;
      // Sign over all numbers contracts slowly.
      mixing.compressor =
          testing_support::chosen(compressor_catalog(), compressor,
                                  {{"compression_ratio", "0.2"}, {"compression_block", "10"}});
      auto variable = gossip.variable<Scalar>("x", size, mixing);
      auto x = entries<Scalar>(gossip.rank(), size);
      const double before = distance_to_mean(x, gossip.size());
      double best = before;
      for (int round = 0; round < 4000 && best > 1e-4; round += 50) {
        for (int t = 0; t < 50; ++t) variable.mix(std::span<Scalar>(x));
        auto y = std::vector<double>{distance_to_mean(x, gossip.size())};
        MPI_Allreduce(MPI_IN_PLACE, y.data(), 1, MPI_DOUBLE, MPI_MAX, world());
        best = y[0];
      }
      EXPECT_LE(best, 1e-4) << compressor << " on " << name << " from " << before;
      gossip.mean(std::span<Scalar>(x));
      EXPECT_LE(distance_to_mean(x, gossip.size()), 10 * rounding<Scalar>) << compressor;
    }
  }
}

TYPED_TEST(Gossip, CompressedStartAndFinishGiveTheBitsOfMixAndSendLess) {
  using Scalar = TypeParam;
  GossipCommunicator gossip(world(), topology("ring"));
  CompressedMixing mixing;
  mixing.compressor = {compressor_catalog(), "random-k", KeptEntriesOptions{.ratio = 0.05}};
  auto whole = gossip.variable<Scalar>("x", 400, mixing);
  auto split = gossip.variable<Scalar>("x", 400, mixing);
  auto x = entries<Scalar>(gossip.rank(), 400);
  auto y = x;
  const std::int64_t before = gossip.traffic().bytes;
  for (int round = 0; round < 5; ++round) whole.mix(std::span<Scalar>(x));
  EXPECT_LE(gossip.traffic().bytes - before, 5 * 2 * 400);  // a byte per number and neighbor
  for (int round = 0; round < 5; ++round) {
    split.start(y);
    std::fill(y.begin(), y.end(), Scalar(7));
    split.progress();
    split.finish(y);
  }
  EXPECT_TRUE(same_bits(x, y));
}

TYPED_TEST(Gossip, FindsTheExactMean) {
  using Scalar = TypeParam;
  GossipCommunicator gossip(world(), topology("path"));
  for (const std::size_t size : {0u, 1u, 3001u}) {
    auto x = entries<Scalar>(gossip.rank(), size);
    gossip.mean(std::span<Scalar>(x));
    EXPECT_LE(distance_to_mean(x, gossip.size()), rounding<Scalar>);
    auto of_root = x;
    MPI_Bcast(of_root.data(), static_cast<int>(size * sizeof(Scalar)), MPI_BYTE, 0, world());
    EXPECT_TRUE(same_bits(x, of_root));
  }
}

TYPED_TEST(Gossip, TakesBuffersOfEigen) {
  using Scalar = TypeParam;
  using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
  GossipCommunicator gossip(world(), topology("ring"));
  auto variable = gossip.variable<Scalar>("field", 12);
  auto plain = entries<Scalar>(gossip.rank(), 12);
  Matrix matrix = Eigen::Map<Matrix>(plain.data(), 3, 4);
  auto other = plain;
  Eigen::Map<Matrix> map(other.data(), 4, 3);
  Eigen::Matrix<Scalar, Eigen::Dynamic, 1> vector = matrix.reshaped();
  Matrix wide(12, 3);
  variable.mix(std::span<Scalar>(plain));
  variable.mix(matrix, wide.col(1));
  variable.mix(matrix);
  variable.mix(map);
  variable.start(vector);
  variable.finish(vector);
  for (Index r = 0; r < 12; ++r) {
    const Scalar expected = plain[static_cast<std::size_t>(r)];
    EXPECT_EQ(matrix.data()[r], expected);
    EXPECT_EQ(map.data()[r], expected);
    EXPECT_EQ(vector[r], expected);
    EXPECT_EQ(wide(r, 1), expected);
  }
  gossip.mean(matrix);
  Matrix tall(6, 4);
  expect_error([&] { variable.mix(tall.topRows(3)); }, "`field`: the Eigen expression has gaps");
  expect_error([&] { variable.mix(tall); }, "holds 24 numbers; it must hold 12");
}

TYPED_TEST(Gossip, RefusesBuffersOfAnotherLengthAndCallsOutOfOrder) {
  using Scalar = TypeParam;
  GossipCommunicator gossip(world(), topology("ring"));
  auto variable = gossip.variable<Scalar>("pressure", 8);
  auto push_sum = gossip.push_sum<Scalar>("load", 8);
  std::vector<Scalar> right(8, Scalar(gossip.rank())), wrong(9);
  const std::string sizes = "variable `pressure`: the buffer holds 9 numbers; it must hold 8";
  // Only one rank is wrong; nobody hangs, and the call can be repeated.
  if (gossip.rank() == gossip.size() - 1) {
    expect_error([&] { variable.mix(std::span<Scalar>(wrong)); }, sizes);
    expect_error([&] { variable.mix(right, wrong); }, sizes);
    expect_error([&] { variable.mix(wrong, right); }, sizes);
    expect_error([&] { variable.start(wrong); }, sizes);
    expect_error([&] { variable.finish(right); }, "finish without a round");
    expect_error([&] { push_sum.mix(std::span<Scalar>(wrong), 1); }, "`load`: the buffer holds 9");
    expect_error([&] { push_sum.mix(std::span<Scalar>(right), 0); }, "0 rounds make no step");
  }
  variable.progress();
  variable.start(right);
  expect_error([&] { variable.start(right); }, "start while a round is under way");
  expect_error([&] { variable.mix(std::span<Scalar>(right)); }, "mix while a round is under way");
  expect_error([&] { variable.finish(wrong); }, sizes);
  variable.finish(right);
  EXPECT_EQ(variable.round(), 1u);
}

TYPED_TEST(Gossip, RefusesVariablesThatDifferBetweenRanks) {
  using Scalar = TypeParam;
  GossipCommunicator gossip(world(), topology("ring"));
  const bool last = gossip.rank() == gossip.size() - 1;
  if (gossip.size() > 1) {
    const Index size = last ? 5 : 3;
    const std::string sizes = "variable `x`: between 3 and 5 numbers on different ranks";
    expect_error([&] { gossip.variable<Scalar>("x", size); }, sizes, true);
    expect_error([&] { gossip.push_sum<Scalar>("x", size); }, sizes, true);
    expect_error([&] { gossip.variable<Scalar>("x", size, CompressedMixing{}); }, sizes, true);
    expect_error([&] { gossip.variable<Scalar>(last ? "y" : "x", 3); }, "name, type or options",
                 true);
    expect_error([&] { gossip.variable<Scalar>("x", 3, Mixing{.rounds = last ? 2 : 1}); },
                 "name, type or options", true);
    std::vector<Scalar> x(static_cast<std::size_t>(size));
    expect_error([&] { gossip.mean(std::span<Scalar>(x)); }, "mean: between 3 and 5 numbers", true);
  }
  for (const Index size : {Index{0}, Index{-1}, Index{1} << 31}) {
    expect_error([&] { gossip.variable<Scalar>("x", size); }, "out of range", true);
  }
  expect_error([&] { gossip.variable<Scalar>("x", 3, Mixing{.rounds = 0}); }, "0 rounds", true);
  // Everything still works.
  std::vector<Scalar> x(3, Scalar(gossip.rank()));
  gossip.mean(std::span<Scalar>(x));
  EXPECT_NEAR(x[2], (gossip.size() - 1) / 2.0, 1e-6);
}

TEST(GossipCommunicator, RefusesCompressionWhereReferencesCannotBeKept) {
  GossipCommunicator changing(world(), topology("one-peer-exponential"));
  if (!changing.network().schedule().fixed()) {
    expect_error([&] { changing.variable<float>("x", 3, CompressedMixing{}); }, "does not change",
                 true);
  }
  if (size_of(world()) < 3) return;
  GossipCommunicator ring(world(), leaning_star(size_of(world())));
  expect_error([&] { ring.variable<double>("x", 3, CompressedMixing{}); }, "symmetric", true);
  GossipCommunicator path(world(), topology("path"));
  expect_error([&] { path.variable<double>("x", 3, CompressedMixing{.gamma = 2}); }, "gamma = 2",
               true);
}

TEST(GossipCommunicator, MixesSeveralRoundsAndChebyshevAsTheMixerDoes) {
  GossipCommunicator gossip(world(), topology("path"));
  const Index size = 2100;
  for (const bool chebyshev : {false, true}) {
    const Mixing mixing{.lazy = true, .rounds = 4, .chebyshev = chebyshev};
    auto variable = gossip.variable<double>("x", size, mixing);
    auto x = entries<double>(gossip.rank(), static_cast<std::size_t>(size));
    AgentMatrix block(size, 1), out(size, 1);
    for (Index r = 0; r < size; ++r) block(r, 0) = x[static_cast<std::size_t>(r)];
    Mixer mix = gossip.network().mixer("block", size, mixing);
    mix(out, block);
    variable.mix(std::span<double>(x));
    EXPECT_EQ(std::memcmp(x.data(), out.data(), x.size() * sizeof(double)), 0);
    EXPECT_EQ(variable.round(), 4u);
    if (chebyshev) expect_error([&] { variable.start(x); }, "cannot be split");
  }
  expect_error([&] { gossip.variable<float>("x", 3, Mixing{.rounds = 2, .chebyshev = true}); },
               "for doubles", true);
}

TEST(GossipCommunicator, RefusesNetworksThatDoNotFitTheRanks) {
  const int ranks = size_of(world());
  TopologyOptions options = topology("ring");
  options.agents = ranks + 1;
  const SharedSchedule larger = make_schedule(options);
  expect_error([&] { GossipCommunicator(world(), larger); },
               text("has ", ranks + 1, " agents for ", ranks, " ranks"), true);
  expect_error([&] { GossipCommunicator(world(), SharedSchedule()); }, "no schedule", true);
  expect_error([&] { GossipCommunicator(world(), topology("rung")); }, "nearest is `ring`", true);
  expect_error([&] { GossipCommunicator(MPI_COMM_NULL, topology("ring")); }, "MPI_COMM_NULL");
  if (ranks == 1) return;
  const bool last = rank_of(world()) == ranks - 1;
  expect_error([&] { GossipCommunicator(world(), topology(last ? "rung" : "ring")); },
               "nearest is `ring`", true);
  if (ranks > 2) {
    expect_error([&] { GossipCommunicator(world(), topology(last ? "path" : "ring")); },
                 "different networks", true);
  }
}

TEST(GossipCommunicator, LeavesTheCommunicatorOfTheHostAlone) {
  MPI_Comm host = MPI_COMM_NULL;
  MPI_Comm_dup(world(), &host);
  MPI_Errhandler mine = MPI_ERRHANDLER_NULL;
  MPI_Comm_create_errhandler(ignore_errors, &mine);
  MPI_Comm_set_errhandler(host, mine);
  const int rank = rank_of(host);
  const int ranks = size_of(host);
  int sent = rank;
  int received = -1;
  MPI_Request requests[2];  // tag 1 is used inside, too
  MPI_Irecv(&received, 1, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, host, &requests[0]);
  std::vector<double> x(100, rank);
  {
    GossipCommunicator gossip(host, topology("ring"), {.share_memory = false});
    auto variable = gossip.variable<double>("x", 100);
    auto outlives = std::make_unique<GossipCommunicator>(host, topology("ring"));
    auto kept = outlives->variable<double>("kept", 100);
    outlives.reset();
    for (int round = 0; round < 5; ++round) {
      variable.mix(std::span<double>(x));
      kept.mix(std::span<double>(x));
    }
    int compared = -1;
    MPI_Comm_compare(host, gossip.network().communicator().handle(), &compared);
    EXPECT_EQ(compared, MPI_CONGRUENT);
  }
  EXPECT_EQ(received, -1);
  MPI_Isend(&sent, 1, MPI_INT, (rank + 1) % ranks, 1, host, &requests[1]);
  MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
  EXPECT_EQ(received, (rank + ranks - 1) % ranks);
  MPI_Errhandler found = MPI_ERRHANDLER_NULL;
  MPI_Comm_get_errhandler(host, &found);
  EXPECT_EQ(found, mine);
  MPI_Errhandler_free(&found);
  MPI_Errhandler_free(&mine);
  MPI_Comm_free(&host);
}

TEST(GossipCommunicator, CertifiesItsNetwork) {
  GossipCommunicator gossip(world(), topology("complete"));
  EXPECT_EQ(gossip.certificate().agents, gossip.size());
  EXPECT_TRUE(gossip.certificate().doubly_stochastic());
  EXPECT_NEAR(gossip.certificate().spectral_gap, 1, 1e-12);
}

}  // namespace
}  // namespace echelon
