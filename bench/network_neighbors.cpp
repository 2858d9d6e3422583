// One agent per rank on a ring: mixing a vector of DIMENSION numbers, against what one would write
// by hand in plain MPI. Any number of ranks from 2.
//
//     mpirun -n R bench_network_neighbors DIMENSION
//
// One line per way of exchanging whole vectors before one loop mixes them: Isend and Irecv, and
// MPI_Neighbor_allgather.

#include "network_bench.hpp"

namespace {

using namespace bench;

/// The exchange by hand; two neighbors, or one of twice the weight if there are only two ranks.
class ByHand {
 public:
  ByHand(std::size_t dimension, double self_weight, double neighbor_weight)
      : dimension_(dimension),
        self_weight_(self_weight),
        weight_(neighbor_weight),
        received_(2 * dimension) {
    const int rank = rank_of(MPI_COMM_WORLD);
    const int size = size_of(MPI_COMM_WORLD);
    neighbors_ = {(rank + size - 1) % size};
    if (size > 2) neighbors_.push_back((rank + 1) % size);
    const int degree = static_cast<int>(neighbors_.size());
    MPI_Dist_graph_create_adjacent(MPI_COMM_WORLD, degree, neighbors_.data(), MPI_UNWEIGHTED,
                                   degree, neighbors_.data(), MPI_UNWEIGHTED, MPI_INFO_NULL, 0,
                                   &graph_);
  }
  ~ByHand() { MPI_Comm_free(&graph_); }
  ByHand(const ByHand&) = delete;
  ByHand& operator=(const ByHand&) = delete;

  void by_messages(const double* x, double* out) {
    MPI_Request requests[4];
    int count = 0;
    for (std::size_t k = 0; k < neighbors_.size(); ++k) {
      MPI_Irecv(received_.data() + k * dimension_, static_cast<int>(dimension_), MPI_DOUBLE,
                neighbors_[k], 0, MPI_COMM_WORLD, &requests[count++]);
    }
    for (const int neighbor : neighbors_) {
      MPI_Isend(x, static_cast<int>(dimension_), MPI_DOUBLE, neighbor, 0, MPI_COMM_WORLD,
                &requests[count++]);
    }
    MPI_Waitall(count, requests, MPI_STATUSES_IGNORE);
    mix(x, out);
  }

  void by_allgather(const double* x, double* out) {
    MPI_Neighbor_allgather(x, static_cast<int>(dimension_), MPI_DOUBLE, received_.data(),
                           static_cast<int>(dimension_), MPI_DOUBLE, graph_);
    mix(x, out);
  }

 private:
  void mix(const double* __restrict x, double* __restrict out) {
    const double* __restrict a = received_.data();
    const double* __restrict b = a + dimension_;
    if (neighbors_.size() == 1) {
      for (std::size_t i = 0; i < dimension_; ++i) {
        out[i] = std::fma(weight_, a[i], self_weight_ * x[i]);
      }
    } else {
      for (std::size_t i = 0; i < dimension_; ++i) {
        out[i] = std::fma(weight_, b[i], std::fma(weight_, a[i], self_weight_ * x[i]));
      }
    }
  }

  std::size_t dimension_;
  double self_weight_;
  double weight_;
  std::vector<int> neighbors_;
  Buffer received_;
  MPI_Comm graph_ = MPI_COMM_NULL;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  MPI_Init(&argc, &argv);
  const int rank = rank_of(MPI_COMM_WORLD);
  const int size = size_of(MPI_COMM_WORLD);
  {
    const Index dimension = std::atoll(argv[1]);
    const auto count = static_cast<std::size_t>(dimension);
    echelon::Network network(echelon::Communicator(MPI_COMM_WORLD),
                             echelon::metropolis_weights(circle(size, 1)));
    auto mixer = network.mixer("x", dimension);
    AgentMatrix x(dimension, 1);
    AgentMatrix mixed(dimension, 1);
    const auto ours = [&] {
      mixer(mixed, x);
      swap(mixed, x);
    };

    const double weight = size == 2 ? 1.0 / 2 : 1.0 / 3;
    ByHand by_hand(count, weight, weight);
    Buffer y(count);
    Buffer other_mixed(count);
    using Exchange = void (ByHand::*)(const double*, double*);
    const std::pair<const char*, Exchange> ways[] = {{"messages", &ByHand::by_messages},
                                                     {"allgather", &ByHand::by_allgather}};
    for (const auto& [name, exchange] : ways) {
      const auto other = [&, exchange = exchange] {
        (by_hand.*exchange)(y.data(), other_mixed.data());
        swap(other_mixed, y);
      };
      fill(x, rank);
      std::copy_n(x.data(), count, y.data());
      ours();
      other();
      require_equal(MPI_COMM_WORLD, x.data(), y.data(), count, name);
      const Comparison result = compare(MPI_COMM_WORLD, ours, other);
      if (rank == 0) {
        std::printf("{\"against\": \"%s\", \"ranks\": %d, \"dimension\": %zu, %s}\n", name, size,
                    count, result.json().c_str());
      }
    }
  }
  MPI_Finalize();
}
