#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "echelon.h"
#include "echelon/core/error.hpp"

namespace {

struct World {
  int rank = 0;
  int ranks = 1;
  World() {
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  }
};

void expect_failure(int code, int expected, const std::string& part) {
  EXPECT_EQ(code, expected);
  const std::string message = echelon_last_error();
  EXPECT_NE(message.find(part), std::string::npos) << message << " | " << part;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

echelon_communicator* ring() {
  echelon_communicator* communicator = nullptr;
  EXPECT_EQ(echelon_create(MPI_COMM_WORLD, "ring", nullptr, &communicator), ECHELON_OK)
      << echelon_last_error();
  return communicator;
}

echelon_variable* doubles(echelon_communicator* communicator, int64_t size,
                          const char* const* options = nullptr) {
  echelon_variable* variable = nullptr;
  EXPECT_EQ(echelon_variable_create(communicator, "x", size, ECHELON_DOUBLE, options, &variable),
            ECHELON_OK)
      << echelon_last_error();
  return variable;
}

/// Of the ring with Metropolis weights, where rank i starts with i.
double mixed_on_ring(const World& world, int rank) {
  const int n = world.ranks;
  if (n == 1) return 0;
  if (n == 2) return 0.5;
  return (rank + (rank + 1) % n + (rank + n - 1) % n) / 3.0;
}

TEST(CApi, MixesDoublesAndFloats) {
  const World world;
  echelon_communicator* communicator = ring();
  echelon_variable* x = doubles(communicator, 10);
  echelon_variable* y = nullptr;
  ASSERT_EQ(echelon_variable_create(communicator, "y", 10, ECHELON_FLOAT, nullptr, &y), ECHELON_OK);
  const int64_t before = echelon_bytes_sent(communicator);
  std::vector<double> u(10, world.rank);
  std::vector<float> v(10, static_cast<float>(world.rank));
  EXPECT_EQ(echelon_mix_double(x, u.data(), 10), ECHELON_OK);
  EXPECT_EQ(echelon_mix_float(y, v.data(), 10), ECHELON_OK);
  const int64_t neighbors = world.ranks > 2 ? 2 : world.ranks - 1;
  EXPECT_EQ(echelon_bytes_sent(communicator) - before, neighbors * 10 * (8 + 4));
  for (std::size_t r = 0; r < 10; ++r) {
    EXPECT_NEAR(u[r], mixed_on_ring(world, world.rank), 1e-14);
    EXPECT_NEAR(v[r], mixed_on_ring(world, world.rank), 1e-6);
  }

  const std::vector<double> expected = u;
  std::vector<double> w(10, world.rank);
  EXPECT_EQ(echelon_start_double(x, w.data(), 10), ECHELON_OK);
  w.assign(10, -5);
  EXPECT_EQ(echelon_progress(x), ECHELON_OK);
  EXPECT_EQ(echelon_finish_double(x, w.data(), 10), ECHELON_OK);
  EXPECT_EQ(w, expected);
  EXPECT_EQ(echelon_rounds(x), 2);
  EXPECT_EQ(echelon_rounds(y), 1);

  v.assign(10, static_cast<float>(world.rank));
  EXPECT_EQ(echelon_start_float(y, v.data(), 10), ECHELON_OK);
  EXPECT_EQ(echelon_finish_float(y, v.data(), 10), ECHELON_OK);
  EXPECT_NEAR(v[9], mixed_on_ring(world, world.rank), 1e-6);
  EXPECT_NE(std::string(echelon_certificate(communicator)).find("gap"), std::string::npos)
      << echelon_certificate(communicator);
  echelon_free(communicator);  // before its variables
  EXPECT_EQ(echelon_mix_double(x, w.data(), 10), ECHELON_OK);
  echelon_variable_free(x);
  echelon_variable_free(y);
}

TEST(CApi, ReducesAndSplits) {
  const World world;
  const double mean = (world.ranks - 1) / 2.0;
  echelon_communicator* communicator = ring();
  std::vector<double> x(7, world.rank);
  std::vector<float> y(7, static_cast<float>(world.rank));
  EXPECT_EQ(echelon_mean_double(communicator, x.data(), 7), ECHELON_OK);
  EXPECT_EQ(echelon_mean_float(communicator, y.data(), 7), ECHELON_OK);
  EXPECT_EQ(x, std::vector<double>(7, mean));
  EXPECT_EQ(y, std::vector<float>(7, static_cast<float>(mean)));
  echelon_variable* variable = doubles(communicator, 7);
  x.assign(7, world.rank);
  EXPECT_EQ(echelon_push_sum_double(variable, x.data(), 7, 100), ECHELON_OK);
  for (const double number : x) EXPECT_NEAR(number, mean, 1e-12);
  EXPECT_EQ(echelon_rounds(variable), 0);
  echelon_variable_free(variable);
  ASSERT_EQ(echelon_variable_create(communicator, "y", 7, ECHELON_FLOAT, nullptr, &variable), 0);
  y.assign(7, static_cast<float>(world.rank));
  EXPECT_EQ(echelon_push_sum_float(variable, y.data(), 7, 100), ECHELON_OK);
  for (const float number : y) EXPECT_NEAR(number, mean, 1e-5);
  echelon_variable_free(variable);
  echelon_free(communicator);
}

TEST(CApi, TakesOptions) {
  const World world;
  const char* const of_network[] = {"lazy=yes", "stall_seconds=20", "share_memory=no", nullptr};
  echelon_communicator* communicator = nullptr;
  ASSERT_EQ(echelon_create_fortran(MPI_Comm_c2f(MPI_COMM_WORLD), "ring", of_network, &communicator),
            ECHELON_OK)
      << echelon_last_error();
  std::vector<double> x(4, world.rank);
  echelon_variable* once = doubles(communicator, 4);
  EXPECT_EQ(echelon_mix_double(once, x.data(), 4), ECHELON_OK);
  EXPECT_NEAR(x[0], (world.rank + mixed_on_ring(world, world.rank)) / 2, 1e-14);
  const char* const of_mixing[] = {"rounds=3", "weights=row", nullptr};
  echelon_variable* thrice = doubles(communicator, 4, of_mixing);
  std::vector<double> y(4, world.rank), z(4, world.rank);
  EXPECT_EQ(echelon_mix_double(thrice, y.data(), 4), ECHELON_OK);
  for (int t = 0; t < 3; ++t) EXPECT_EQ(echelon_mix_double(once, z.data(), 4), ECHELON_OK);
  EXPECT_EQ(y, z);
  EXPECT_EQ(echelon_rounds(thrice), 3);

  const char* const compressed[] = {"compressor=top-k", "compression_ratio=0.5", "gamma=0.3",
                                    "seed=4", nullptr};
  echelon_variable* sparse = doubles(communicator, 4, compressed);
  for (std::size_t r = 0; r < 4; ++r) x[r] = world.rank + static_cast<double>(r);
  for (int t = 0; t < 800; ++t) ASSERT_EQ(echelon_mix_double(sparse, x.data(), 4), ECHELON_OK);
  for (std::size_t r = 0; r < 4; ++r) {
    EXPECT_NEAR(x[r], (world.ranks - 1) / 2.0 + static_cast<double>(r), 1e-9);
  }
  const char* const unread[] = {"compressor=sign", "compression_ratio=0.5", nullptr};
  echelon_variable* refused = nullptr;
  EXPECT_EQ(echelon_variable_create(communicator, "u", 4, ECHELON_DOUBLE, unread, &refused),
            static_cast<int>(echelon::ErrorKind::usage));
  EXPECT_EQ(std::string(echelon_last_error()),
            "echelon_variable_create: consensus.compression_ratio is read by random-k, "
            "random-k-unbiased, top-k; this run uses sign");
  EXPECT_EQ(refused, nullptr);
  for (auto* variable : {once, thrice, sparse}) echelon_variable_free(variable);
  echelon_free(communicator);
}

TEST(CApi, TakesMatricesAndFiles) {
  const World world;
  const int n = world.ranks;
  // Everybody hears itself and the rank before: a directed ring.
  std::vector<int64_t> row_begin = {0};
  std::vector<int32_t> senders;
  std::vector<double> weights;
  for (int i = 0; i < n; ++i) {
    if (n > 1) {
      senders.push_back((i + n - 1) % n);
      weights.push_back(0.75);
    }
    senders.push_back(i);
    weights.push_back(n > 1 ? 0.25 : 1);
    row_begin.push_back(static_cast<int64_t>(senders.size()));
  }
  const auto create = [&](echelon_communicator** communicator) {
    return echelon_create_from_matrix_fortran(MPI_Comm_c2f(MPI_COMM_WORLD), row_begin.data(),
                                              senders.data(), weights.data(), nullptr,
                                              communicator);
  };
  echelon_communicator* communicator = nullptr;
  ASSERT_EQ(create(&communicator), ECHELON_OK) << echelon_last_error();
  echelon_variable* variable = doubles(communicator, 1);
  double x = world.rank;
  EXPECT_EQ(echelon_mix_double(variable, &x, 1), ECHELON_OK);
  EXPECT_NEAR(x, n > 1 ? 0.75 * ((world.rank + n - 1) % n) + 0.25 * world.rank : 0, 1e-14);
  echelon_variable_free(variable);
  echelon_free(communicator);

  communicator = nullptr;
  weights.back() = 0.5;
  expect_failure(create(&communicator), ECHELON_BAD_DATA, "");
  weights.back() = n > 1 ? 0.25 : 1;
  row_begin[0] = 1;
  expect_failure(create(&communicator), ECHELON_BAD_DATA, "row_begin[0] is 1");
  EXPECT_EQ(communicator, nullptr);

  expect_failure(echelon_create_from_file(MPI_COMM_WORLD, "no such file", nullptr, &communicator),
                 ECHELON_MISSING_INPUT, "no such file");
  const std::string path = testing::TempDir() + "echelon_c_api_" + std::to_string(n) + ".txt";
  if (world.rank == 0) {
    std::ofstream file(path);
    for (int i = 1; i < n; ++i) file << i - 1 << ' ' << i << '\n';
    if (n == 1) file << "0 0 1\n";
  }
  MPI_Barrier(MPI_COMM_WORLD);
  EXPECT_EQ(echelon_create_from_file(MPI_COMM_WORLD, path.c_str(), nullptr, &communicator),
            ECHELON_OK)
      << echelon_last_error();
  variable = doubles(communicator, 1);
  x = world.rank;
  for (int t = 0; t < 300; ++t) EXPECT_EQ(echelon_mix_double(variable, &x, 1), ECHELON_OK);
  EXPECT_NEAR(x, (n - 1) / 2.0, 1e-12);
  echelon_variable_free(variable);
  echelon_free(communicator);
  MPI_Barrier(MPI_COMM_WORLD);
  if (world.rank == 0) std::remove(path.c_str());
}

TEST(CApi, ReportsWhatIsWrong) {
  const World world;
  echelon_communicator* none = nullptr;
  const char* const unknown[] = {"wieghts=metropolis", nullptr};
  const char* const no_value[] = {"lazy", nullptr};
  const char* const agents[] = {"agents=3", nullptr};
  expect_failure(echelon_create(MPI_COMM_WORLD, "rung", nullptr, &none), ECHELON_USAGE, "`ring`");
  expect_failure(echelon_create(MPI_COMM_WORLD, "ring", unknown, &none), ECHELON_USAGE, "weights");
  expect_failure(echelon_create(MPI_COMM_WORLD, "ring", no_value, &none), ECHELON_USAGE,
                 "option `lazy` has no value");
  expect_failure(echelon_create(MPI_COMM_WORLD, "ring", agents, &none), ECHELON_USAGE,
                 "agents cannot be chosen");
  expect_failure(echelon_create(MPI_COMM_WORLD, nullptr, nullptr, &none), ECHELON_USAGE,
                 "the topology is NULL");
  expect_failure(echelon_create(MPI_COMM_WORLD, "ring", nullptr, nullptr), ECHELON_USAGE,
                 "the place for the result is NULL");
  expect_failure(echelon_create(MPI_COMM_NULL, "ring", nullptr, &none), ECHELON_USAGE,
                 "MPI_COMM_NULL");
  EXPECT_EQ(none, nullptr);

  echelon_communicator* communicator = ring();
  echelon_variable* created = nullptr;
  const auto create = [&](const char* name, int64_t size, int type, const char* const* options) {
    return echelon_variable_create(communicator, name, size, type, options, &created);
  };
  const char* const mixed[] = {"compressor=top-k", "rounds=2", nullptr};
  const char* const gamma[] = {"gamma=2", nullptr};
  expect_failure(create("x", 3, 5, nullptr), ECHELON_USAGE, "there is no type 5");
  expect_failure(create(nullptr, 3, ECHELON_FLOAT, nullptr), ECHELON_USAGE, "the name is NULL");
  expect_failure(create("x", 0, ECHELON_FLOAT, nullptr), ECHELON_USAGE, "out of range");
  expect_failure(create("x", 3, ECHELON_FLOAT, mixed), ECHELON_USAGE, "rounds");
  expect_failure(create("x", 3, ECHELON_FLOAT, gamma), ECHELON_USAGE, "gamma");
  if (world.ranks > 1) {
    expect_failure(create("x", 3 + world.rank % 2, ECHELON_FLOAT, nullptr), ECHELON_USAGE,
                   "between 3 and 4 numbers");
  }
  EXPECT_EQ(created, nullptr);
  ASSERT_EQ(create("x", 3, ECHELON_FLOAT, nullptr), ECHELON_OK);
  float x[3] = {0, 1, 2};
  double y[3] = {};
  expect_failure(echelon_mix_float(created, x, 2), ECHELON_USAGE,
                 "`x`: the buffer holds 2 numbers; it must hold 3");
  expect_failure(echelon_mix_float(created, x, -1), ECHELON_USAGE, "size of -1");
  expect_failure(echelon_mix_float(created, nullptr, 3), ECHELON_USAGE, "the buffer is NULL");
  expect_failure(echelon_mix_double(created, y, 3), ECHELON_USAGE, "of the other type");
  expect_failure(echelon_mix_float(nullptr, x, 3), ECHELON_USAGE, "the variable is NULL");
  expect_failure(echelon_finish_float(created, x, 3), ECHELON_USAGE, "without a round");
  expect_failure(echelon_push_sum_float(created, x, 3, 0), ECHELON_USAGE, "0 rounds");
  expect_failure(echelon_progress(nullptr), ECHELON_USAGE, "the variable is NULL");
  expect_failure(echelon_mean_double(nullptr, y, 3), ECHELON_USAGE, "the communicator is NULL");
  EXPECT_EQ(echelon_mix_float(created, x, 3), ECHELON_OK);  // everything still works
  EXPECT_FLOAT_EQ(x[2], 2);
  EXPECT_EQ(echelon_certificate(nullptr), nullptr);
  EXPECT_EQ(echelon_bytes_sent(nullptr), 0);
  EXPECT_EQ(echelon_rounds(nullptr), 0);
  echelon_variable_free(created);
  echelon_free(communicator);
  echelon_variable_free(nullptr);
  echelon_free(nullptr);
}

}  // namespace
