#include "echelon/comm/mixer.hpp"

#include <gtest/gtest.h>

#include <Eigen/Eigenvalues>

#include <cstring>

#include "blocks.hpp"
#include "echelon/comm/message_mixer.hpp"

namespace echelon {
namespace {

using namespace testing_support;

struct Threads {
  explicit Threads(int count) { set_thread_count(count); }
  ~Threads() { set_thread_count(1); }
};

void expect_columns(const Network& network, const AgentMatrix& found,
                    const Eigen::MatrixXd& expected, double tolerance = 1e-14) {
  for (int i = 0; i < network.agents().count(); ++i) {
    const double error = (found.col(i) - expected.col(agent_of(network, i))).cwiseAbs().maxCoeff();
    EXPECT_LE(error, tolerance) << "agent " << agent_of(network, i) << " of " << network.size();
  }
}

void expect_mixed(const SharedSchedule& schedule, const NetworkLayout& layout, Index rows) {
  Network network(Communicator(MPI_COMM_WORLD), schedule, layout);
  Mixer mix = network.mixer("value", rows);
  const AgentMatrix block = block_of(network, rows);
  const Eigen::MatrixXd x = all_entries(network.size(), rows);
  AgentMatrix out(rows, block.cols());
  for (std::uint64_t round = 0; round < 12; round += 4) {  // later rounds reuse buffers
    const auto w = [&](std::uint64_t r) { return dense(*schedule->at(r)); };
    mix(out, block);
    expect_columns(network, out, x * w(round).transpose());
    mix(out, 2 * block, -block);
    expect_columns(network, out, 2 * x * w(round + 1).transpose() - x);
    out.copy_from(block);
    mix(out, 3 * out, out - block);  // in place
    expect_columns(network, out, 3 * x * w(round + 2).transpose());
    mix.start(block);
    mix.progress();
    mix.finish(out, block);
    expect_columns(network, out, x * w(round + 3).transpose() + x);
  }
}

void expect_mixed_everywhere(const SharedSchedule& schedule, Index rows) {
  for (const bool share : {true, false}) {
    expect_mixed(schedule, {.owner = {}, .share_memory = share}, rows);
    expect_mixed(schedule, {.owner = round_robin(schedule->agents()), .share_memory = share}, rows);
  }
}

TEST(Mixer, AppliesTheMatrixOnEveryTopologyAndSize) {
  for (const char* topology : {"ring", "star", "complete"}) {
    for (const AgentId agents : {1, 2, 3, 7, 12}) {
      expect_mixed_everywhere(schedule_of(topology, agents), 5);
    }
  }
  expect_mixed_everywhere(schedule_of("exponential", 11), 5);  // directed
}

TEST(Mixer, AppliesTheMatrixToLongColumnsInStrips) {
  expect_mixed_everywhere(schedule_of("star", 40), 2051);  // more terms than are added at once
  expect_mixed_everywhere(schedule_of("ring", 9), 3 * 2048 + 1);
  expect_mixed_everywhere(schedule_of("path", 3), 70'000);  // several messages per neighbor
}

TEST(Mixer, AppliesTheMatrixWithThreads) {
  const Threads threads(3);
  expect_mixed_everywhere(schedule_of("ring", 12), 5);
  expect_mixed_everywhere(schedule_of("torus", 12), 8 * 2048 + 5);
}

TEST(Mixer, FollowsAScheduleRoundByRound) {
  for (const char* topology : {"one-peer-exponential", "random-matching", "even-odd-ring"}) {
    for (const AgentId agents : {2, 7, 8})
      expect_mixed_everywhere(schedule_of(topology, agents), 5);
  }
}

TEST(Mixer, CarriesItsRoundInItsState) {
  struct Reader final : StateVisitor {
    std::int64_t seen = -1;
    void visit(const std::string&, AgentMatrix&) override {}
    void visit(const std::string&, double&) override {}
    void visit(const std::string& name, std::int64_t& value) override {
      if (name == "round") seen = value;
    }
    void visit(const std::string&, Eigen::MatrixXd&) override {}
  } reader;
  Network network(Communicator(MPI_COMM_WORLD), schedule_of("one-peer-exponential", 8));
  Mixer mix = network.mixer("value", 3, {.rounds = 2});
  AgentMatrix block = block_of(network, 3);
  mix(block, block);
  mix(block, block);
  mix.visit_state(reader);
  EXPECT_EQ(reader.seen, 4);
}

TEST(Mixer, AddsDifferencesToNeighbors) {
  for (const AgentId agents : {1, 2, 9}) {
    const auto schedule = schedule_of("ring", agents);
    Network network(Communicator(MPI_COMM_WORLD), schedule);
    const AgentMatrix block = block_of(network, 2050);
    const Eigen::MatrixXd x = all_entries(agents, 2050);
    const Eigen::MatrixXd w = dense(*schedule->at(0));
    AgentMatrix out(2050, block.cols());
    Mixer once = network.mixer("value", 2050);
    once.difference(out, 2 * block, block);
    expect_columns(network, out, 2 * x * w.transpose() - x);
    Mixer twice = network.mixer("value", 2050, {.rounds = 2});
    twice.difference(out, block, block);
    expect_columns(network, out, x * (w * w).transpose());
  }
}

TEST(Mixer, DifferencesOfEqualColumnsAreZero) {
  Network network(Communicator(MPI_COMM_WORLD), schedule_of("erdos-renyi", 9));
  Mixer mix = network.mixer("value", 4);
  AgentMatrix same(4, network.agents().count());
  same.setConstant(0.1);
  AgentMatrix out(4, same.cols());
  mix.difference(out, same, 0 * same);
  EXPECT_TRUE((out.array() == 0).all());
}

TEST(Mixer, MixesSeveralTimesPerCall) {
  const auto schedule = schedule_of("path", 6);
  Network network(Communicator(MPI_COMM_WORLD), schedule);
  const AgentMatrix block = block_of(network, 3);
  const Eigen::MatrixXd x = all_entries(6, 3);
  const Eigen::MatrixXd w = dense(*schedule->at(0));
  AgentMatrix out(3, block.cols());
  Mixer mix = network.mixer("value", 3, {.rounds = 3});
  out.copy_from(block);
  mix(out, 2 * out, out);
  expect_columns(network, out, 2 * x * (w * w * w).transpose() + x);
}

TEST(Mixer, AcceleratesByChebyshevPolynomials) {
  const auto schedule = schedule_of("path", 8);
  Network network(Communicator(MPI_COMM_WORLD), schedule);
  const AgentMatrix block = block_of(network, 3);
  const Eigen::MatrixXd x = all_entries(8, 3);
  const Eigen::MatrixXd w = dense(*schedule->at(0));
  const double b = network.certificate().second_eigenvalue;
  // T_4(z) = 8 z^4 - 8 z^2 + 1
  const Eigen::MatrixXd z = w / b;
  const Eigen::MatrixXd z2 = z * z;
  const double scale = 8 / (b * b * b * b) - 8 / (b * b) + 1;
  const Eigen::MatrixXd polynomial =
      (8 * z2 * z2 - 8 * z2 + Eigen::MatrixXd::Identity(8, 8)) / scale;
  AgentMatrix out(3, block.cols());
  Mixer mix = network.mixer("value", 3, {.rounds = 4, .chebyshev = true});
  mix(out, block);
  expect_columns(network, out, x * polynomial.transpose(), 1e-13);
  mix.difference(out, block, 0 * block);
  expect_columns(network, out, x * polynomial.transpose() - x, 1e-13);
  const Eigen::MatrixXd spread = polynomial - Eigen::MatrixXd::Constant(8, 8, 1.0 / 8);
  EXPECT_LT(spread.operatorNorm(), 0.8 * b * b * b * b);
}

TEST(Mixer, RefusesChebyshevWhereItHasNoMeaning) {
  Network directed(Communicator(MPI_COMM_WORLD), schedule_of("exponential", 8));
  EXPECT_THROW(directed.mixer("value", 3, {.rounds = 4, .chebyshev = true}), Error);
}

TEST(Mixer, TwoExchangesMayBeInFlight) {
  for (const bool share : {true, false}) {
    Network network(Communicator(MPI_COMM_WORLD), schedule_of("ring", 6),
                    {.owner = {}, .share_memory = share});
    Mixer mix_a = network.mixer("a", 3);
    Mixer mix_b = network.mixer("b", 3);
    const AgentMatrix block = block_of(network, 3);
    AgentMatrix a(3, block.cols()), b(3, block.cols()), alone(3, block.cols());
    mix_a(alone, block);
    for (int repeat = 0; repeat < 3; ++repeat) {
      mix_a.start(block);
      mix_b.start(-block);
      mix_a.finish(a);
      mix_b.finish(b);
      EXPECT_EQ(a, alone);
      EXPECT_EQ(b, -alone);
    }
  }
}

TEST(Mixer, KeepsUpWithAPeerThatIsAhead) {
  Network network(Communicator(MPI_COMM_WORLD), schedule_of("directed-ring", 8));
  Mixer mix = network.mixer("value", 5000);
  AgentMatrix block = block_of(network, 5000);
  Eigen::MatrixXd x = all_entries(8, 5000);
  const Eigen::MatrixXd w = dense(*network.schedule().at(0));
  for (int k = 0; k < 50; ++k) {
    mix(block, block);
    x = (x * w.transpose()).eval();
  }
  expect_columns(network, block, x, 1e-13);
}

TEST(Mixer, LongColumnsMayTakeTurnsInTheSameMemory) {
  constexpr Index rows = 40 * 2048 + 3;
  for (const char* topology : {"directed-ring", "two-hop-ring"}) {
    Network network(Communicator(MPI_COMM_WORLD), schedule_of(topology, 5));
    Mixer mix = network.mixer("value", rows);
    AgentMatrix block = block_of(network, rows);
    AgentMatrix sent(rows, block.cols());
    Eigen::MatrixXd x = all_entries(5, rows);
    const Eigen::MatrixXd w = dense(*network.schedule().at(0));
    for (int k = 0; k < 12; ++k) {
      mix(block, block);
      x = (x * w.transpose()).eval();
      mix.start(block);  // between rounds in which all strips have memory of their own
      mix.finish(sent);
      expect_columns(network, sent, x * w.transpose(), 1e-13);
    }
    expect_columns(network, block, x, 1e-13);
  }
}

TEST(Mixer, RefusesLengthsThatDifferBetweenRanks) {
  if (world_size() == 1) GTEST_SKIP() << "needs several ranks";
  Network network(Communicator(MPI_COMM_WORLD), schedule_of("ring", 8));
  const Index length = network.communicator().rank() == 0 ? 4 : 5;
  try {
    network.mixer("pressure", length);
    FAIL() << "was not refused";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(error.what()).find("pressure"), std::string::npos);
  }
}

TEST(MessageMixer, CarriesEveryMessageWithItsWeight) {
  const auto schedule = schedule_of("erdos-renyi", 9);
  for (const bool share : {true, false}) {
    Network network(Communicator(MPI_COMM_WORLD), schedule, {.owner = {}, .share_memory = share});
    MessageMixer mix(network, "value", 13);
    std::int64_t edges = 0;
    for (int round = 0; round < 3; ++round) {
      mix(
          [&](int i, std::span<std::byte> message) {
            ASSERT_EQ(message.size(), 13u);
            std::memset(message.data(), 10 * round + agent_of(network, i), message.size());
          },
          [&](int i, std::span<const MessageMixer::Received> received) {
            const auto row = schedule->at(0)->row(agent_of(network, i));
            ASSERT_EQ(received.size(), row.size());
            for (std::size_t k = 0; k < row.size(); ++k) {
              EXPECT_EQ(received[k].sender, row[k].sender);
              EXPECT_EQ(received[k].weight, row[k].weight);
              EXPECT_EQ(static_cast<int>(received[k].message[12]), 10 * round + row[k].sender);
              if (row[k].sender != agent_of(network, i)) ++edges;
            }
          });
    }
    std::int64_t totals[] = {edges * 13, network.traffic().bytes};
    network.communicator().sum(totals, "test");
    EXPECT_EQ(totals[0], totals[1]);
  }
}

}  // namespace
}  // namespace echelon
