#include "echelon/io/client_files.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <functional>
#include <string>

#include "echelon/core/error.hpp"

namespace echelon {
namespace {

class ClientFiles : public testing::Test {
 protected:
  void TearDown() override { std::remove(path.c_str()); }

  void write(const std::string& content) const { std::ofstream(path) << content; }
  std::string refusal(const std::string& content, const std::function<void()>& read) const {
    write(content);
    try {
      read();
    } catch (const Error& error) {
      EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(ErrorKind::bad_data));
      return error.what();
    }
    return "";
  }
  void expect_trace_refused(const std::string& content, const std::string& why) const {
    const std::string text = refusal(content, [this] { read_availability(path); });
    EXPECT_NE(text.find(why), std::string::npos) << text;
  }
  void expect_speeds_refused(const std::string& content, const std::string& why) const {
    const std::string text = refusal(content, [this] { read_client_speeds(path); });
    EXPECT_NE(text.find(why), std::string::npos) << text;
  }

  const std::string path = testing::TempDir() + "echelon-clients.txt";
};

TEST_F(ClientFiles, HoldTraces) {
  write("# a trace\nrounds 20\n\n0 0 4  # morning\n7 5 19\n0 10 10\n");
  const Availability trace = read_availability(path);
  EXPECT_EQ(trace.rounds, 20);
  ASSERT_EQ(trace.intervals.size(), 3u);
  EXPECT_EQ(trace.intervals[1].client, 7);
  EXPECT_EQ(trace.intervals[1].first, 5);
  EXPECT_EQ(trace.intervals[1].last, 19);
}

TEST_F(ClientFiles, WithBadTracesNameTheLine) {
  expect_trace_refused("0 0 4\n", ":1: this is not the length of a trace");
  expect_trace_refused("", "this is not the length of a trace");
  expect_trace_refused("rounds 0\n", "this is not the length of a trace");
  expect_trace_refused("rounds 5\n0 0\n", ":2: this is not an interval");
  expect_trace_refused("rounds 5\n-1 0 1\n", ":2: this is not an interval");
  expect_trace_refused("rounds 5\n\n0 3 2\n", ":3: rounds 3 to 2");
  expect_trace_refused("rounds 5\n0 3 5\n", "rounds 0 to 4");
}

TEST_F(ClientFiles, HoldSpeeds) {
  write("0.02 0.1\n# slow\n1.5 0\n");
  const ClientSpeeds speeds = read_client_speeds(path);
  EXPECT_EQ(speeds.compute_seconds, (std::vector<double>{0.02, 1.5}));
  EXPECT_EQ(speeds.link_seconds, (std::vector<double>{0.1, 0}));
}

TEST_F(ClientFiles, WithBadSpeedsNameTheLine) {
  expect_speeds_refused("", "no client");
  expect_speeds_refused("1\n", ":1: this is not a client's speed");
  expect_speeds_refused("1 2\n1 x\n", ":2: this is not a client's speed");
  expect_speeds_refused("1 -2\n", "at least 0");
  expect_speeds_refused("nan 2\n", "at least 0");
}

TEST(ClientFilesThatAreNotThere, AreMissing) {
  for (const auto& read : {std::function<void()>([] { read_availability("/nowhere/trace"); }),
                           std::function<void()>([] { read_client_speeds("/nowhere/speeds"); })}) {
    try {
      read();
      ADD_FAILURE() << "was read";
    } catch (const Error& error) {
      EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(ErrorKind::missing_input));
    }
  }
}

}  // namespace
}  // namespace echelon
