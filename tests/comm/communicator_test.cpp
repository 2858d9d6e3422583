#include "echelon/comm/communicator.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace echelon {
namespace {

TEST(Communicator, DuplicatesAndLeavesTheHostAlone) {
  MPI_Errhandler before;
  MPI_Comm_get_errhandler(MPI_COMM_WORLD, &before);
  {
    const Communicator communicator(MPI_COMM_WORLD);
    int relation = 0;
    MPI_Comm_compare(communicator.handle(), MPI_COMM_WORLD, &relation);
    EXPECT_EQ(relation, MPI_CONGRUENT);
  }
  MPI_Errhandler after;
  MPI_Comm_get_errhandler(MPI_COMM_WORLD, &after);
  EXPECT_EQ(before, after);
}

TEST(Communicator, BroadcastsWholeStringsAndGathersByRank) {
  const Communicator communicator(MPI_COMM_WORLD);
  const int last = communicator.size() - 1;
  const std::string sent =
      communicator.rank() == last ? std::string(100000, 'x') + '\0' + "end" : "";
  EXPECT_EQ(communicator.broadcast(sent, last).size(), 100004U);
  const auto all =
      communicator.gather_all(std::string(static_cast<std::size_t>(communicator.rank()), 'r'));
  for (std::size_t r = 0; r < all.size(); ++r) EXPECT_EQ(all[r].size(), r);
}

TEST(Communicator, OneFailingRankFailsAllWithItsMessage) {
  const Communicator communicator(MPI_COMM_WORLD);
  const int culprit = communicator.size() - 1;
  try {
    communicator.together([&] {
      require(communicator.rank() != culprit, ErrorKind::bad_data, "file.gz: offset ", 12,
              ": broken");
    });
    FAIL() << "must throw on every rank";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::bad_data);
    EXPECT_TRUE(error.on_all_ranks());
    EXPECT_STREQ(error.what(), "file.gz: offset 12: broken");
  }
  EXPECT_NO_THROW(communicator.together([] {}));
}

TEST(Communicator, ForeignExceptionsAreCarriedToo) {
  const Communicator communicator(MPI_COMM_WORLD);
  try {
    communicator.together([&] {
      if (communicator.rank() == 0) throw std::runtime_error("odd");
    });
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::internal);
    EXPECT_STREQ(error.what(), "odd");
  }
}

TEST(Communicator, ASilentPeerEndsTheWaitWithItsName) {
  const Communicator communicator(MPI_COMM_WORLD, 0.3);
  if (communicator.size() == 1) return;  // nobody to wait for
  if (communicator.rank() == 0) {
    int never = 0;
    MPI_Request request;
    MPI_Irecv(&never, 1, MPI_INT, 1, 99, communicator.handle(), &request);
    const auto begin = std::chrono::steady_clock::now();
    try {
      communicator.wait_all({&request, 1},
                            [](std::size_t) { return "the exchange of variable `x` with rank 1"; });
      FAIL() << "nothing was sent";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::stalled);
      EXPECT_NE(std::string(error.what()).find("variable `x` with rank 1"), std::string::npos)
          << error.what();
    }
    EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(), 5.0);
    MPI_Cancel(&request);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
  }
  MPI_Barrier(MPI_COMM_WORLD);
}

TEST(OverlappedMaximum, ReturnsThePreviousWishesOfAllRanks) {
  const Communicator communicator(MPI_COMM_WORLD);
  OverlappedMaximum agreement(communicator);
  const std::int64_t rank = communicator.rank();
  const auto first = agreement.exchange({rank, 1, 0});
  EXPECT_EQ(first, (OverlappedMaximum::Numbers{0, 0, 0}));
  const auto second = agreement.exchange({0, 0, 7});
  EXPECT_EQ(second, (OverlappedMaximum::Numbers{communicator.size() - 1, 1, 0}));
  EXPECT_EQ(agreement.finish(), (OverlappedMaximum::Numbers{0, 0, 7}));
  EXPECT_EQ(agreement.finish(), (OverlappedMaximum::Numbers{0, 0, 7}));
}

}  // namespace
}  // namespace echelon
