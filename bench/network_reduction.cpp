// The exact mean of one column per rank, against MPI_Allreduce and a division.
//
//     mpirun -n R bench_network_reduction DIMENSION [--messages]
//
// --messages: without shared memory, as between nodes.

#include "network_bench.hpp"

int main(int argc, char** argv) {
  using namespace bench;
  if (argc < 2) return 2;
  MPI_Init(&argc, &argv);
  const int rank = rank_of(MPI_COMM_WORLD);
  const int size = size_of(MPI_COMM_WORLD);
  {
    const Index dimension = std::atoll(argv[1]);
    const auto count = static_cast<std::size_t>(dimension);
    const bool share_memory = !has_flag(argc, argv, "--messages");
    echelon::Network network(echelon::Communicator(MPI_COMM_WORLD),
                             echelon::metropolis_weights(circle(size, 1)),
                             {.owner = {}, .share_memory = share_memory});
    AgentMatrix x(dimension, 1);
    fill(x, rank);
    echelon::VectorXd mean(dimension);
    Buffer other_mean(count);
    const auto ours = [&] { network.mean(x, mean); };
    const auto other = [&] {
      MPI_Allreduce(x.data(), other_mean.data(), static_cast<int>(dimension), MPI_DOUBLE, MPI_SUM,
                    MPI_COMM_WORLD);
      double* __restrict values = other_mean.data();
      const double share = 1.0 / size;
      for (std::size_t i = 0; i < count; ++i) values[i] *= share;
    };
    ours();
    other();
    require_equal(MPI_COMM_WORLD, mean.data(), other_mean.data(), count, "mean");
    const Comparison result = compare(MPI_COMM_WORLD, ours, other);
    if (rank == 0) {
      std::printf("{\"by\": \"%s\", \"ranks\": %d, \"dimension\": %zu, %s}\n",
                  share_memory ? "shared memory" : "messages", size, count, result.json().c_str());
    }
  }
  MPI_Finalize();
}
