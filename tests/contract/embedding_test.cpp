// Promise 7: solves on halves of the host's communicator while the host sends messages with the
// same tags.

#include <gtest/gtest.h>

#include "compositions.hpp"

namespace echelon {
namespace {

using namespace testing_support;

TEST(Embedding, TwoSolvesAtOnceAmidHostTraffic) {
  int rank = 0;
  int size = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  MPI_Comm half;
  MPI_Comm_split(MPI_COMM_WORLD, rank % 2, rank, &half);

  // The host's own messages around the ring, on tags 0 to 3, unfinished during the solves.
  constexpr int tags = 4;
  double sent[tags], received[tags] = {};
  MPI_Request requests[2 * tags];
  for (int tag = 0; tag < tags; ++tag) {
    sent[tag] = 100 * rank + tag;
    MPI_Irecv(&received[tag], 1, MPI_DOUBLE, (rank + size - 1) % size, tag, MPI_COMM_WORLD,
              &requests[tag]);
  }
  const std::string seed = rank % 2 == 0 ? "1" : "2";
  const Settings settings =
      small_problem("quadratic") + Settings{{"method.name", "soba"},  {"network.agents", "5"},
                                            {"run.seed", seed},       {"method.beta", "0.2"},
                                            {"method.gamma", "0.2"},  {"run.iterations", "2000"},
                                            {"metrics.every", "1000"}};
  const auto before = run(settings, half);
  for (int tag = 0; tag < tags; ++tag) {
    MPI_Isend(&sent[tag], 1, MPI_DOUBLE, (rank + 1) % size, tag, MPI_COMM_WORLD,
              &requests[tags + tag]);
  }
  const auto after = run(settings, half);
  MPI_Waitall(2 * tags, requests, MPI_STATUSES_IGNORE);
  for (int tag = 0; tag < tags; ++tag)
    EXPECT_EQ(received[tag], 100 * ((rank + size - 1) % size) + tag);
  EXPECT_LT(after.at("distance_to_solution"), 1e-9);
  EXPECT_EQ(before.at("distance_to_solution"), after.at("distance_to_solution"));

  const auto alone = run(settings, MPI_COMM_SELF);
  EXPECT_EQ(alone.at("upper_value"), after.at("upper_value"));
  MPI_Comm_free(&half);
}

TEST(Embedding, TheLibraryDoesNotPrint) {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  run(small_problem("quadratic") + Settings{{"run.iterations", "20"}});
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace echelon
