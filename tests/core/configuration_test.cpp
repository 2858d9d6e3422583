#include "echelon/core/configuration.hpp"

#include <gtest/gtest.h>

#include "echelon/core/error.hpp"

namespace echelon {
namespace {

struct Example {
  double step = 0.5;
  std::int64_t count = 3;
  bool loud = false;
  std::string word;
  std::string color = "red";
  std::int64_t threads = 1;

  void visit(OptionVisitor& visitor) {
    visitor("step", step, above_up_to(0, 1), "a step");
    visitor("count", count, at_least(1), "how many");
    visitor("loud", loud, "a switch");
    visitor("word", word, "free text");
    visitor.choice("color", color, {"red", "green"}, "one of two");
    visitor.operational(true);
    visitor("threads", threads, at_least(1), "does not change results");
    visitor.operational(false);
  }
};

std::string error_of(const std::string& key, const std::string& value) {
  Configuration configuration;
  configuration.set(key, value, "file.ini:4");
  Example example;
  try {
    configuration.read("part", example);
    configuration.require_all_read();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.what();
  }
  return "";
}

TEST(Configuration, ReadsEveryType) {
  Configuration configuration;
  configuration.set("part.step", "0.25", "test");
  configuration.set("part.count", " 12 ", "test");
  configuration.set("part.loud", "yes", "test");
  configuration.set("part.word", "two words", "test");
  configuration.set("part.color", "green", "test");
  Example example;
  configuration.read("part", example);
  EXPECT_EQ(example.step, 0.25);
  EXPECT_EQ(example.count, 12);
  EXPECT_TRUE(example.loud);
  EXPECT_EQ(example.word, "two words");
  EXPECT_EQ(example.color, "green");
  EXPECT_NO_THROW(configuration.require_all_read());
}

TEST(Configuration, ErrorsNamePlaceKeyAndRemedy) {
  EXPECT_EQ(error_of("part.step", "2"),
            "file.ini:4: part.step: 2 is out of range; it must be (0, 1]");
  EXPECT_EQ(error_of("part.step", "nan"),
            "file.ini:4: part.step: nan is out of range; it must be (0, 1]");
  EXPECT_EQ(error_of("part.count", "1.5"), "file.ini:4: part.count: `1.5` is not a whole number");
  EXPECT_EQ(error_of("part.count", ""), "file.ini:4: part.count: `` is not a whole number");
  EXPECT_EQ(error_of("part.loud", "maybe"), "file.ini:4: part.loud: `maybe` is neither yes nor no");
  EXPECT_NE(error_of("part.color", "gren").find("the nearest is `green`"), std::string::npos);
  EXPECT_NE(error_of("part.stepp", "1").find("the nearest is `part.step`"), std::string::npos);
  EXPECT_EQ(error_of("part.step", "1"), "");
}

TEST(Configuration, ResolvedTextReadsBackAndLeavesOutOperationalOptions) {
  Configuration configuration;
  configuration.set("part.step", "0.1", "test");
  Example example;
  configuration.read("part", example);
  EXPECT_EQ(configuration.resolved(),
            "[part]\nstep = 0.1\ncount = 3\nloud = no\nword = \ncolor = red\nthreads = 1\n");
  EXPECT_EQ(configuration.resolved(false),
            "[part]\nstep = 0.1\ncount = 3\nloud = no\nword = \ncolor = red\n");
  configuration.read("part", example);  // a second reader of a section does not repeat it
  EXPECT_EQ(configuration.declared().size(), 6U);
}

TEST(Configuration, WordsAreReadInAnyLetterCaseAndStoredAsDeclared) {
  Configuration configuration;
  configuration.set("part.color", "GREEN", "test");
  configuration.set("part.loud", "Yes", "test");
  configuration.set("part.word", "Two Words", "test");
  Example example;
  configuration.read("part", example);
  EXPECT_EQ(example.color, "green");
  EXPECT_TRUE(example.loud);
  EXPECT_EQ(example.word, "Two Words");
  EXPECT_EQ(configuration.resolved(false),
            "[part]\nstep = 0.5\ncount = 3\nloud = yes\nword = Two Words\ncolor = green\n");
}

}  // namespace
}  // namespace echelon
