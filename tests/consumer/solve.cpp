// A program of another project: solves problem P-Q, whose solution is known, with the installed
// library, and mixes with expressions of its own. Prints the bits of the solution.
#include <mpi.h>

#include <cstdio>
#include <echelon/echelon.hpp>
#include <string_view>

namespace {

/// Mixes until agents agree; what is mixed is evaluated by code of this program.
double disagreement(MPI_Comm comm) {
  using namespace echelon;
  TopologyOptions ring;
  ring.agents = 4;
  Network network(Communicator(comm), make_schedule(ring));
  set_thread_count(2);
  AgentMatrix values(3, network.agents().count());
  parallel_for(network.agents().count(), [&](int i) {
    values.col(i).setConstant(network.agents().local[static_cast<std::size_t>(i)]);
  });
  Mixer mix = network.mixer("values", 3);
  AgentMatrix mixed(3, network.agents().count());
  for (int t = 0; t < 60; ++t) {
    mix(mixed, 2.0 * values, -values);  // W 2 v - v
    mix(values, 0.5 * mixed + 0.5 * values);
  }
  set_thread_count(1);
  VectorXd mean;
  network.mean(values, mean);
  return (values.colwise() - mean).norm();
}

bool is_refused(MPI_Comm comm) {
  try {
    echelon::TopologyOptions options;
    options.topology = "no-such-topology";
    echelon::GossipCommunicator gossip(comm, options);
  } catch (const echelon::Error& error) {
    return error.kind() == echelon::ErrorKind::usage;
  }
  return false;
}

/// Distance to the solution.
double solve(MPI_Comm comm) {
  echelon::Configuration configuration;
  configuration.set("problem.name", "p-q", "consumer");
  configuration.set("method.name", "soba", "consumer");
  configuration.set("consensus.strategy", "all-reduce", "consumer");
  echelon::Experiment experiment(echelon::Communicator(comm), configuration,
                                 echelon::FileDataSource());
  echelon::Requests requests;
  experiment.runner().run({}, requests);
  const auto solution = experiment.problem().known_solutions(false).front();
  const echelon::VectorXd x = experiment.network().mean_for_report(experiment.method().x());
  for (const double number : x) std::printf("%a ", number);
  std::printf("\n");
  return (x - solution.x).norm();
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  const bool good = std::string_view(echelon::version()) == ECHELON_VERSION_STRING &&
                    is_refused(MPI_COMM_WORLD) && disagreement(MPI_COMM_WORLD) < 1e-6 &&
                    solve(MPI_COMM_WORLD) < 1e-7;
  MPI_Finalize();
  return good ? 0 : 1;
}
