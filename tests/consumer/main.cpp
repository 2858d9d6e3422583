// A program of another project: solves problem P-Q, whose solution is known, with the installed
// library.
#include <mpi.h>

#include <cstdio>
#include <echelon/echelon.hpp>

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  double distance = 1;
  {
    echelon::Configuration configuration;
    configuration.set("problem.name", "p-q", "consumer");
    configuration.set("method.name", "soba", "consumer");
    configuration.set("consensus.strategy", "all-reduce", "consumer");
    echelon::Experiment experiment(echelon::Communicator(MPI_COMM_WORLD), configuration,
                                   echelon::FileDataSource());
    echelon::Requests requests;
    experiment.runner().run({}, requests);
    const auto solution = experiment.problem().known_solutions(false).front();
    distance = (experiment.network().mean_for_report(experiment.method().x()) - solution.x).norm();
  }
  std::printf("distance to the solution: %.1e\n", distance);
  MPI_Finalize();
  return distance < 1e-7 ? 0 : 1;
}
