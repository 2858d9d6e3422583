// Times single F2SA iterations of the demo problem with one agent; bench/numpy_iteration.py
// interleaves them with its own.
//
//     bench_f2sa_iteration float|double IMAGES LABELS INNER_STEPS      then on standard input: one
//     line per iteration wanted
//
// Answers each line with the seconds of one iteration, and the end of input with |x| and |y|, by
// which both can be compared.

#include <mpi.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>

#include "echelon/experiment/experiment.hpp"
#include "echelon/io/file_data_source.hpp"

int main(int argc, char** argv) {
  using namespace echelon;
  if (argc != 5) return 2;
  MPI_Init(&argc, &argv);
  {
    Configuration configuration;
    const std::pair<const char*, const char*> settings[] = {{"problem.name", "hyper-cleaning"},
                                                            {"problem.precision", argv[1]},
                                                            {"problem.images", argv[2]},
                                                            {"problem.labels", argv[3]},
                                                            {"network.agents", "1"},
                                                            {"method.name", "f2sa"},
                                                            {"method.inner_steps", argv[4]},
                                                            {"method.lambda", "5"},
                                                            {"method.lambda_increment", "0"},
                                                            {"method.alpha", "2500"},
                                                            {"method.upper_decay", "1"},
                                                            {"method.decay_offset", "1"},
                                                            {"consensus.strategy", "all-reduce"}};
    for (const auto& [key, value] : settings) configuration.set(key, value, "bench");
    Experiment experiment(Communicator(MPI_COMM_WORLD), std::move(configuration), FileDataSource());
    std::string line;
    for (std::uint64_t k = 0; std::getline(std::cin, line); ++k) {
      const auto begin = std::chrono::steady_clock::now();
      experiment.method().iterate(k);
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
      std::printf("%.9f\n", seconds.count());
      std::fflush(stdout);
    }
    std::printf("%.9g %.9g\n", experiment.method().x().norm(), experiment.method().y().norm());
  }
  MPI_Finalize();
}
