#include "echelon/core/catalog.hpp"

#include <gtest/gtest.h>

namespace echelon {
namespace {

struct Entry {
  std::string name;
};

TEST(Catalog, FindsNamesInAnyLetterCase) {
  const std::vector<Entry> entries{{"soba"}, {"f2sa"}, {"F2SA-p"}};
  EXPECT_EQ(find_entry(entries, "SOBA", "method").name, "soba");
  EXPECT_EQ(find_entry(entries, "f2sa", "method").name, "f2sa");
  EXPECT_EQ(find_entry(entries, "F2sa-P", "method").name, "F2SA-p");
}

TEST(Catalog, NamesTheNearestEntryWhateverItsCase) {
  const std::vector<Entry> entries{{"soba"}, {"bome"}};
  try {
    find_entry(entries, "SOBBA", "method");
    FAIL() << "a name that does not exist was found";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_STREQ(error.what(), "there is no method called `SOBBA`; the nearest is `soba`");
  }
}

TEST(Catalog, NearestNameTakesTheSmallestEditDistance) {
  EXPECT_EQ(nearest_name("GOSSIP", {"all-reduce", "gossip-atc", "none"}), "gossip-atc");
  EXPECT_EQ(nearest_name("x", {}), "");
}

}  // namespace
}  // namespace echelon
