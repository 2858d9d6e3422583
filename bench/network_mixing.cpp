// Mix and step, x <- W (x - step g) in place, against one memcpy of the state. One process hosts
// all agents.
//
//     bench_network_mixing DIMENSION REACH CACHE_BYTES
//
// Agents sit on a circle and hear i +- 1 .. i +- REACH, so their degree is 2 REACH. There are as
// many as make the state 4.5 times CACHE_BYTES, the size of the last-level cache.

#include "network_bench.hpp"

int main(int argc, char** argv) {
  using namespace bench;
  if (argc != 4) return 2;
  MPI_Init(&argc, &argv);
  {
    const Index dimension = std::atoll(argv[1]);
    const int reach = std::atoi(argv[2]);
    const auto column = static_cast<std::size_t>(echelon::padded_rows(dimension));
    const double state_bytes = 4.5 * std::atof(argv[3]);
    const auto agents = static_cast<AgentId>(state_bytes / static_cast<double>(column * 8)) + 1;
    const std::size_t bytes = column * static_cast<std::size_t>(agents) * 8;
    const double step = 1e-3;

    echelon::Network network(echelon::Communicator(MPI_COMM_WORLD),
                             echelon::metropolis_weights(circle(agents, reach)));
    auto mixer = network.mixer("x", dimension);
    AgentMatrix x(dimension, agents);
    AgentMatrix g(dimension, agents);
    fill(x, 0);
    fill(g, agents);
    Buffer copy(bytes / 8);

    const auto mix = [&] { mixer(x, x - step * g); };
    mix();
    for (const AgentId i : {AgentId{0}, agents / 2, agents - 1}) {
      Buffer expected(static_cast<std::size_t>(dimension));
      for (const auto& [j, weight] : network.schedule().at(0)->row(i)) {
        for (Index row = 0; row < dimension; ++row) {
          expected.data()[row] += weight * (sample(j, row) - step * sample(agents + j, row));
        }
      }
      require_equal(MPI_COMM_WORLD, x.col(i).data(), expected.data(),
                    static_cast<std::size_t>(dimension), "mix and step");
    }
    const Comparison result =
        compare(MPI_COMM_WORLD, mix, [&] { std::memcpy(copy.data(), x.data(), bytes); });
    std::printf("{\"agents\": %d, \"state_bytes\": %zu, %s}\n", agents, bytes,
                result.json().c_str());
  }
  MPI_Finalize();
}
