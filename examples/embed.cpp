// Echelon inside an MPI program: the host splits its communicator, and each half averages numbers
// by gossip and then solves a bilevel problem on its own sub-communicator, while messages of the
// host with arbitrary tags are under way.
//
//     mpirun -n 4 embed        (any number of ranks, one included)
#include <mpi.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <echelon/echelon.hpp>

using namespace echelon;

/// A simulation that talks to its neighbors all the time, with tags that Echelon may use too.
class Host {
 public:
  Host() {
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
    for (int tag = 0; tag < messages; ++tag) {
      const auto i = static_cast<std::size_t>(tag);
      sent_[i] = 1000 * rank_ + tag;
      MPI_Irecv(&received_[i], 1, MPI_INT, (rank_ + size_ - 1) % size_, tag, MPI_COMM_WORLD,
                &requests_[2 * i]);
      MPI_Isend(&sent_[i], 1, MPI_INT, (rank_ + 1) % size_, tag, MPI_COMM_WORLD,
                &requests_[2 * i + 1]);
    }
  }
  bool messages_arrived() {
    MPI_Waitall(2 * messages, requests_.data(), MPI_STATUSES_IGNORE);
    const int from = (rank_ + size_ - 1) % size_;
    bool right = true;
    for (int tag = 0; tag < messages; ++tag)
      right = right && received_[static_cast<std::size_t>(tag)] == 1000 * from + tag;
    return right;
  }
  int rank() const { return rank_; }

 private:
  static constexpr int messages = 16;
  int rank_ = 0;
  int size_ = 1;
  std::array<int, messages> sent_{};
  std::array<int, messages> received_{};
  std::array<MPI_Request, 2 * messages> requests_{};
};

/// Agent i starts with i; neighbors average until all hold (n - 1) / 2.
double gossip_error(Network& network) {
  AgentMatrix value(1, network.agents().count());
  AgentMatrix next(1, network.agents().count());
  for (int i = 0; i < network.agents().count(); ++i)
    value(0, i) = network.agents().local[static_cast<std::size_t>(i)];
  Mixer mix = network.mixer("a number per agent", 1);
  for (int round = 0; round < 120; ++round) {
    mix(next, value);
    swap(value, next);
  }
  const double mean = (network.size() - 1) / 2.0;
  double error = 0;
  for (int i = 0; i < network.agents().count(); ++i)
    error = std::max(error, std::abs(value(0, i) - mean));
  return error;
}

/// Distance to the known solution of a quadratic problem after 800 iterations of SOBA with gradient
/// tracking.
double solve_error(MPI_Comm communicator) {
  Configuration configuration;
  configuration.set("problem.name", "quadratic", "embed.cpp");
  configuration.set("method.name", "soba", "embed.cpp");
  configuration.set("run.iterations", "800", "embed.cpp");
  configuration.set("metrics.every", "800", "embed.cpp");
  Experiment experiment(Communicator(communicator), configuration, FileDataSource());
  Requests requests;
  experiment.runner().run({}, requests);
  return experiment.runner().figure("distance_to_solution");
}

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  bool right = false;
  {
    Host host;
    MPI_Comm half;
    MPI_Comm_split(MPI_COMM_WORLD, host.rank() % 2, 0, &half);
    double averaging = 0;
    {
      TopologyOptions torus;
      torus.agents = 6;
      torus.topology = "torus";
      Network network(Communicator(half), make_schedule(torus));
      averaging = gossip_error(network);
    }
    const double distance = solve_error(half);
    right = averaging < 1e-9 && distance < 1e-9 && host.messages_arrived();
    if (host.rank() < 2)
      std::printf("half %d: gossip error %.1e, distance to the solution %.1e\n", host.rank(),
                  averaging, distance);
    MPI_Comm_free(&half);
  }
  int all_right = right ? 1 : 0;
  MPI_Allreduce(MPI_IN_PLACE, &all_right, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
  MPI_Finalize();
  return all_right == 1 ? 0 : 1;
}
