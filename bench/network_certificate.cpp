// The certificate of a graph that was read from a file.
//
//     bench_network_certificate AGENTS DEGREE TOPOLOGY
//
// Writes the generated graph to a temporary edge list, reads it back, and certifies it. One line of
// JSON: seconds of each, and how much memory the process held at most above what it began with.

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "echelon/io/graph_file.hpp"
#include "echelon/topology/certificate.hpp"
#include "echelon/topology/topologies.hpp"

namespace {

double seconds_of(const auto& body) {
  const auto begin = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

long peak_kilobytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  echelon::TopologyOptions options;
  options.agents = std::atoll(argv[1]);
  options.topology = argv[3];
  options.topology.set("degree", argv[2]);
  const auto path = std::filesystem::temp_directory_path() /
                    ("echelon-certificate-" + std::to_string(getpid()) + ".txt");
  if (fork() == 0) {  // so that the memory of making the graph is not counted
    echelon::write_graph(path.string(), *echelon::make_schedule(options)->at(0));
    std::_Exit(0);
  }
  int status = 0;
  wait(&status);
  const long before = peak_kilobytes();
  options.topology = "file";
  options.topology.set("file", path.string());
  echelon::SharedSchedule schedule;
  const double reading = seconds_of([&] { schedule = echelon::make_schedule(options); });
  echelon::Certificate certificate;
  const double certifying = seconds_of([&] { certificate = echelon::certify(*schedule); });
  std::filesystem::remove(path);
  std::printf(
      "{\"topology\": \"%s\", \"read_seconds\": %.3f, \"certify_seconds\": %.3f, \"edges\": %zu, "
      "\"bytes_per_edge\": %.0f, \"gap\": %.6g}\n",
      argv[3], reading, certifying, certificate.edges,
      1024.0 * static_cast<double>(peak_kilobytes() - before) /
          static_cast<double>(certificate.edges),
      certificate.spectral_gap);
}
