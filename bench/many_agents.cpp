// Memory and time of many agents in one process: F2SA with gradient tracking on a quadratic with
// shared matrices.
//
//     bench_many_agents AGENTS ITERATIONS
//
// Prints: bytes of the problem's own data, bytes of the carried state, peak resident bytes, median
// seconds per iteration.

#include <mpi.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "echelon/experiment/experiment.hpp"
#include "echelon/io/file_data_source.hpp"

int main(int argc, char** argv) {
  using namespace echelon;
  if (argc != 3) return 2;
  MPI_Init(&argc, &argv);
  {
    constexpr std::int64_t dimension = 100;
    const std::int64_t agents = std::atoll(argv[1]);
    Configuration configuration;
    const std::pair<const char*, const char*> settings[] = {
        {"problem.name", "quadratic"},      {"problem.upper_dimension", "100"},
        {"problem.lower_dimension", "100"}, {"problem.matrices", "shared"},
        {"network.agents", argv[1]},        {"method.name", "f2sa"},
        {"method.inner_steps", "1"},        {"consensus.strategy", "gt-atc"},
        {"metrics.every", "1000000"}};
    for (const auto& [key, value] : settings) configuration.set(key, value, "bench");
    Experiment experiment(Communicator(MPI_COMM_WORLD), std::move(configuration), FileDataSource());
    std::vector<double> seconds;
    for (int k = 0; k < std::atoi(argv[2]); ++k) {
      const auto begin = std::chrono::steady_clock::now();
      experiment.method().iterate(static_cast<std::uint64_t>(k));
      seconds.push_back(
          std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    experiment.evaluator().evaluate(experiment.method().x(), experiment.method().y());
    std::nth_element(seconds.begin(),
                     seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2),
                     seconds.end());
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const std::int64_t data =
        8 * (agents * 3 * dimension +
             4 * dimension * dimension);  // offsets a, u, w; A, C, F and their shared base
    std::printf("%lld %lld %lld %.9f\n", static_cast<long long>(data),
                static_cast<long long>(experiment.state_bytes()),
                static_cast<long long>(usage.ru_maxrss) * 1024, seconds[seconds.size() / 2]);
  }
  MPI_Finalize();
}
