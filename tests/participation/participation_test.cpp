#include "echelon/participation/participation.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "echelon/core/configuration.hpp"
#include "echelon/core/error.hpp"
#include "echelon/participation/client_states.hpp"

namespace echelon {
namespace {

std::string refusal(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

Chosen<PolicyEntry> policy(const std::string& name,
                           const std::map<std::string, double>& numbers = {},
                           const std::map<std::string, std::int64_t>& counts = {}) {
  Chosen<PolicyEntry> chosen(policy_catalog(), name);
  for (const auto& [option, value] : numbers) chosen.set(option, value);
  for (const auto& [option, value] : counts) chosen.set(option, value);
  return chosen;
}

TEST(Participation, EveryClientTakesPartEquallyOften) {
  constexpr int rounds = 20000;
  Participation participation({.clients = 10}, 4, {}, 7);
  std::vector<int> times(10, 0);
  for (int k = 0; k < rounds; ++k) {
    participation.begin(static_cast<std::uint64_t>(k));
    for (AgentId seat = 0; seat < 4; ++seat) {
      ASSERT_TRUE(participation.answers(seat));
      ++times[static_cast<std::size_t>(participation.client(seat, participation.place(seat)))];
    }
  }
  // Groups of 3, 3, 2, 2.
  for (AgentId seat = 0; seat < 4; ++seat) {
    const double share = 1.0 / static_cast<double>(participation.group_size(seat));
    for (std::int64_t place = 0; place < participation.group_size(seat); ++place) {
      const auto client = static_cast<std::size_t>(participation.client(seat, place));
      EXPECT_NEAR(times[client], rounds * share, 5 * std::sqrt(rounds * share));
    }
  }
}

TEST(Participation, GroupsArePartsOfAllClients) {
  const Participation participation({.clients = 1003}, 17, {}, 3);
  std::set<ClientId> seen;
  for (AgentId seat = 0; seat < 17; ++seat) {
    for (std::int64_t place = 0; place < participation.group_size(seat); ++place) {
      EXPECT_TRUE(seen.insert(participation.client(seat, place)).second);
    }
  }
  EXPECT_EQ(seen.size(), 1003u);
  EXPECT_EQ(*seen.rbegin(), 1002);
}

// The mean of weight x indicator of a client, over rounds, is 1 / clients.
TEST(Participation, WeightsAreUnbiased) {
  constexpr int rounds = 40000;
  for (const char* const weighting : {"normalized", "unbiased"}) {
    ParticipationOptions options{.clients = 7, .weighting = weighting};
    if (options.weighting == "unbiased") options.probability = 0.4;
    Participation participation(options, 3, {}, 5);
    std::vector<double> mass(7, 0);
    for (int k = 0; k < rounds; ++k) {
      participation.begin(static_cast<std::uint64_t>(k));
      for (AgentId seat = 0; seat < 3; ++seat) {
        if (!participation.answers(seat)) continue;
        mass[static_cast<std::size_t>(participation.client(seat, participation.place(seat)))] +=
            participation.weight(seat);
      }
    }
    for (const double own : mass) EXPECT_NEAR(own / rounds, 1.0 / 7, 0.006) << weighting;
  }
}

TEST(Participation, WeightsSumToOneOrAllAreZero) {
  Participation participation({.clients = 9, .probability = 0.3, .minimum = 2}, 4, {}, 5);
  int skipped = 0;
  for (std::uint64_t k = 0; k < 2000; ++k) {
    participation.begin(k);
    double sum = 0;
    int answers = 0;
    for (AgentId seat = 0; seat < 4; ++seat) {
      sum += participation.weight(seat);
      answers += participation.answers(seat) ? 1 : 0;
    }
    EXPECT_EQ(answers, participation.answering());
    EXPECT_EQ(participation.is_skipped(), answers < 2);
    EXPECT_NEAR(sum, answers < 2 ? 0 : 1, 1e-12);
    skipped += answers < 2 ? 1 : 0;
  }
  EXPECT_EQ(participation.skipped_rounds(), skipped);
  const double rare = std::pow(0.7, 4) + 4 * 0.3 * std::pow(0.7, 3);
  EXPECT_NEAR(skipped, 2000 * rare, 5 * std::sqrt(2000 * rare));
}

// Median of the slowest of 8 log-normal times, and of the 4th fastest.
TEST(Participation, PoliciesEndRoundsWhenTheySay) {
  const auto seconds_of = [](ParticipationOptions options) {
    options.compute_seconds = 0.03;
    options.compute_sigma = 1;
    Participation participation(options, 8, {.local_steps = 2}, 11);
    participation.begin(1999);
    return participation.seconds();
  };
  const double all = seconds_of({});
  const double half = seconds_of({.policy = policy("over-commit", {}, {{"wait_for", 4}})});
  const double cut = seconds_of({.policy = policy("cut-off", {{"deadline_seconds", 0.1}})});
  EXPECT_GT(all, 2.5 * half);
  EXPECT_LE(cut, 1000 * 0.1);
  EXPECT_GT(cut, 900 * 0.1);
  // Of n = 8 standard normal draws the mean of the largest exponential is about 5.0.
  EXPECT_NEAR(all, 1000 * 2 * 0.03 * 5.0, 60);
}

TEST(Participation, TimeIsThatOfComputingAndOfTheLink) {
  Participation participation({.compute_seconds = 0.5, .link_seconds = 0.25, .link_rate = 1000}, 3,
                              {.local_steps = 4, .message_bytes = 500}, 1);
  participation.begin(0);
  EXPECT_DOUBLE_EQ(participation.seconds(), 4 * 0.5 + 2 * (0.25 + 0.5));
  participation.begin(3);
  EXPECT_DOUBLE_EQ(participation.seconds(), 3.5);
  participation.begin(4);
  EXPECT_DOUBLE_EQ(participation.seconds(), 7);
}

TEST(Participation, ThoseWhoComeBackAnswerLater) {
  const ParticipationOptions leave{.dropout = 0.5, .compute_seconds = 1};
  ParticipationOptions come_back = leave;
  come_back.return_seconds = 10;
  come_back.policy = policy("cut-off", {{"deadline_seconds", 5}});
  Participation lost(leave, 6, {}, 2), late(come_back, 6, {}, 2);
  for (std::uint64_t k = 0; k < 200; ++k) {
    lost.begin(k);
    late.begin(k);
    EXPECT_EQ(lost.answering(), late.answering());
  }
  come_back.policy.set("deadline_seconds", 20);
  Participation patient(come_back, 6, {}, 2);
  patient.begin(0);
  EXPECT_EQ(patient.answering(), 6);
  EXPECT_DOUBLE_EQ(patient.seconds(), 11);
}

TEST(Participation, FollowsATrace) {
  const Availability trace{.rounds = 10, .intervals = {{0, 0, 4}, {1, 5, 9}, {2, 0, 9}, {3, 3, 3}}};
  Participation participation({.clients = 4}, 2, {.rounds = 10}, 1, trace);
  for (std::uint64_t k = 0; k < 10; ++k) {
    participation.begin(k);
    for (AgentId seat = 0; seat < 2; ++seat) {
      if (participation.place(seat) < 0) continue;
      const ClientId client = participation.client(seat, participation.place(seat));
      const bool there = client == 0 ? k <= 4 : client == 1 ? k >= 5 : client == 2 ? true : k == 3;
      EXPECT_TRUE(there) << "client " << client << " in round " << k;
    }
  }
}

TEST(Participation, StalenessIsBoundedAndFastAgentsReportMoreOften) {
  const ParticipationOptions options{
      .policy = policy("bounded-staleness", {}, {{"wait_for", 3}, {"staleness", 5}}),
      .compute_seconds = 0.03,
      .compute_sigma = 1,
      .client_sigma = 1};
  Participation participation(options, 9, {}, 4);
  std::vector<int> last(9, 0);
  std::vector<int> reports(9, 0);
  double before = 0;
  for (int k = 0; k < 3000; ++k) {
    participation.begin(static_cast<std::uint64_t>(k));
    EXPECT_GE(participation.answering(), 3);
    EXPECT_GE(participation.seconds(), before);
    before = participation.seconds();
    for (AgentId agent = 0; agent < 9; ++agent) {
      const auto place = static_cast<std::size_t>(agent);
      if (!participation.answers(agent)) continue;
      EXPECT_LE(k - last[place], 5);
      last[place] = k + 1;
      ++reports[place];
    }
  }
  EXPECT_EQ(participation.largest_staleness(), 5);
  EXPECT_GT(*std::max_element(reports.begin(), reports.end()),
            1.5 * *std::min_element(reports.begin(), reports.end()));
}

TEST(Participation, IsTheSameAfterARestart) {
  const ParticipationOptions options{
      .clients = 20, .probability = 0.7, .compute_seconds = 1, .compute_sigma = 1};
  const RoundShape shape{.local_steps = 3};
  Participation unbroken(options, 4, shape, 9), resumed(options, 4, shape, 9);
  for (std::uint64_t k = 0; k < 31; ++k) unbroken.begin(k);
  resumed.replay(22);
  for (std::uint64_t k = 23; k < 31; ++k) resumed.begin(k);
  EXPECT_EQ(unbroken.seconds(), resumed.seconds());
  EXPECT_EQ(unbroken.answers_in_all(), resumed.answers_in_all());
  for (AgentId seat = 0; seat < 4; ++seat) EXPECT_EQ(unbroken.place(seat), resumed.place(seat));
}

TEST(Participation, RefusesWhatCannotBe) {
  const auto why = [](const ParticipationOptions& options, const RoundShape& shape = {},
                      const Availability& trace = {}, const ClientSpeeds& speeds = {}) {
    return refusal([&] { Participation(options, 4, shape, 1, trace, speeds); });
  };
  const auto contains = [](const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  contains(why({.clients = 3}), "choose network.agents <= 3");
  contains(why({.minimum = 5}), "choose at most 4");
  contains(why({.policy = policy("cut-off")}), "deadline_seconds");
  contains(why({.policy = policy("over-commit", {}, {{"wait_for", 5}})}),
           "1 to network.agents = 4");
  contains(why({.policy = policy("bounded-staleness", {}, {{"wait_for", 2}})}), "choose 1 or more");
  contains(why({.clients = 8,
                .policy = policy("bounded-staleness", {}, {{"wait_for", 2}, {"staleness", 3}})}),
           "always there");
  contains(why({.dropout = 1}), "choose less than 1");
  contains(why({.availability = "trace"}, {.local_steps = 5, .rounds = 10}, {.rounds = 8}),
           "ends after 8 rounds, but the run makes 10; choose run.iterations <= 40");
  contains(why({}, {.rounds = 3}, {.rounds = 5, .intervals = {{4, 0, 1}}}), "clients 0 to 3");
  contains(why({}, {}, {}, {.compute_seconds = {1, 2}, .link_seconds = {0, 0}}),
           "give one line per client");
}

using Keys = std::map<std::string, std::string>;

/// Section `participation` with these values, or why it is refused.
std::string resolved(const Keys& keys) {
  Configuration configuration;
  for (const auto& [key, value] : keys) configuration.set("participation." + key, value, "test");
  ParticipationOptions options;
  configuration.read("participation", options);
  configuration.require_all_read({axis_of(policy_catalog(), "participation", "policy")});
  return configuration.resolved();
}

TEST(ParticipationOptions, ArePoliciesOwnAndRefusedWithOthers) {
  const std::map<std::string, std::set<std::string>> reads{
      {"wait-for-all", {}},
      {"cut-off", {"deadline_seconds"}},
      {"over-commit", {"wait_for"}},
      {"bounded-staleness", {"wait_for", "staleness"}}};
  const std::set<std::string> sampling{"clients", "probability", "dropout",
                                       "minimum", "weighting",   "availability"};
  const Keys values{
      {"deadline_seconds", "3"}, {"wait_for", "2"},         {"staleness", "4"},
      {"clients", "9"},          {"probability", "0.5"},    {"dropout", "0.25"},
      {"minimum", "2"},          {"weighting", "unbiased"}, {"availability", "trace"}};
  ASSERT_EQ(policy_catalog().size(), reads.size());
  for (const auto& [name, own] : reads) {
    const PolicyEntry& entry = policy_catalog().at(name);
    EXPECT_NE(entry.end_round == nullptr, entry.next_step == nullptr);
    for (const auto& [key, value] : values) {
      SCOPED_TRACE(name + " with " + key);
      const Keys with{{"policy", name}, {key, value}};
      const bool is_read = sampling.count(key) > 0 ? !entry.is_asynchronous() : own.count(key) > 0;
      if (is_read) {
        EXPECT_NE(resolved(with), resolved({{"policy", name}}));
        EXPECT_NE(resolved(with).find(key + " = " + value + "\n"), std::string::npos);
        continue;
      }
      const std::string why = refusal([&] { resolved(with); });
      EXPECT_NE(why.find("participation." + key + " is read by "), std::string::npos) << why;
      EXPECT_NE(why.find("; this run uses " + name), std::string::npos) << why;
      for (const auto& [other, keys] : reads) {
        const bool reader = sampling.count(key) > 0 ? !policy_catalog().at(other).is_asynchronous()
                                                    : keys.count(key) > 0;
        if (other == name) continue;
        EXPECT_EQ(why.find(other) != std::string::npos, reader) << why;
      }
    }
  }
}

TEST(ParticipationOptions, ThatChangeNothingAreRefused) {
  const auto expect_refused = [](const Keys& keys, const std::string& why) {
    const std::string message = refusal([&] { resolved(keys); });
    EXPECT_NE(message.find(why), std::string::npos) << message;
  };
  expect_refused({{"return_seconds", "3"}}, "return_seconds is read if dropout is above 0");
  expect_refused({{"compute_sigma", "1"}}, "compute_sigma is read if there are times");
  expect_refused({{"client_sigma", "1"}}, "client_sigma is read if there are times");
  expect_refused({{"speeds", "speeds.txt"}, {"compute_seconds", "1"}}, "if speeds is empty");
  expect_refused({{"speeds", "speeds.txt"}, {"link_seconds", "1"}}, "if speeds is empty");
  for (const Keys& keys :
       {Keys{{"return_seconds", "3"}, {"dropout", "0.1"}},
        Keys{{"compute_sigma", "1"}, {"client_sigma", "1"}, {"speeds", "speeds.txt"}},
        Keys{{"compute_sigma", "1"}, {"link_rate", "1000"}},
        Keys{{"client_sigma", "1"}, {"link_seconds", "0.1"}, {"compute_seconds", "1"}}}) {
    for (const auto& [key, value] : keys) {
      EXPECT_NE(resolved(keys).find(key + " = " + value + "\n"), std::string::npos) << key;
    }
  }
}

TEST(ClientStates, FollowTheirClientsInMemoryAndInAFile) {
  for (const bool in_file : {false, true}) {
    Participation participation({.clients = 11}, 3, {}, 6);
    const std::vector<AgentId> seats{0, 2};
    ClientStates states(participation, seats, 5, in_file);
    states.fill(VectorXd::Constant(5, 2));
    std::vector<double> count(11, 2);
    AgentMatrix columns(5, 2);
    for (std::uint64_t k = 0; k < 100; ++k) {
      participation.begin(k);
      states.load(columns);
      for (int i = 0; i < 2; ++i) {
        const AgentId seat = seats[static_cast<std::size_t>(i)];
        const auto client =
            static_cast<std::size_t>(participation.client(seat, participation.place(seat)));
        EXPECT_EQ(columns(4, i), count[client]);
        columns.col(i).array() += 1;
        count[client] += 1;
      }
      states.store(columns);
    }
  }
}

}  // namespace
}  // namespace echelon
