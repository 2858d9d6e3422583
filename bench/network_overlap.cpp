// How much of a round hides behind a computation: two ranks, each mixing one vector of DIMENSION
// numbers with the other's while it computes for as long as the round takes.
//
//     mpirun -n 2 bench_network_overlap DIMENSION multiple|funneled
//
// With MPI_THREAD_MULTIPLE nothing is called between start and finish; with MPI_THREAD_FUNNELED the
// computation calls progress about once per millisecond. One line for the mixer, one for plain MPI
// used the same way.

#include <functional>

#include "network_bench.hpp"

namespace {

using namespace bench;

struct Round {
  const char* name;
  std::function<void()> start;
  std::function<void()> progress;
  std::function<void()> finish;
};

/// About a millisecond of multiply-adds inside the first-level cache.
void compute_slice(Buffer& work, std::size_t passes) {
  constexpr std::size_t size = 1024;
  double* __restrict v = work.data();
  for (std::size_t pass = 0; pass < passes; ++pass) {
    for (std::size_t i = 0; i < size; ++i) v[i] = std::fma(v[i], 0.999999, 1e-6);
  }
}

/// Seconds.
struct Times {
  double communicate = 0;
  double compute = 0;
  double both = 0;
};

class Overlap {
 public:
  explicit Overlap(bool calls_progress) : calls_progress_(calls_progress), work_(1024, 1.0) {
    const auto thousand = [&] { compute_slice(work_, 1000); };
    thousand();
    passes_ = 1 + static_cast<std::size_t>(1000 * 1e-3 / time(MPI_COMM_WORLD, thousand));
    MPI_Bcast(&passes_, 1, MPI_UINT64_T, 0, MPI_COMM_WORLD);
  }

  /// `hidden` of each repetition; `typical` gets the medians of the three times.
  std::vector<double> measure(const Round& round, int repetitions, Times& typical) {
    const auto communicate = [&] {
      round.start();
      round.finish();
    };
    int slices = 1000;
    const auto compute = [&](bool under_way) {
      for (int k = 0; k < slices; ++k) {
        compute_slice(work_, passes_);
        if (under_way && calls_progress_) round.progress();
      }
    };
    const auto seconds = [&](const auto& body) {
      std::vector<double> all;
      for (int k = 0; k < repetitions; ++k) all.push_back(time(MPI_COMM_WORLD, body));
      return quantile(all, 0.5);
    };
    communicate();
    typical.communicate = seconds(communicate);
    const auto fit = [&] {
      typical.compute = seconds([&] { compute(false); });
      return 1 + static_cast<int>(slices * typical.communicate / typical.compute);
    };
    slices = fit();
    slices = fit();

    std::vector<double> communicating;
    std::vector<double> computing;
    std::vector<double> both;
    for (int k = 0; k < repetitions; ++k) {
      communicating.push_back(time(MPI_COMM_WORLD, communicate));
      computing.push_back(time(MPI_COMM_WORLD, [&] { compute(false); }));
      both.push_back(time(MPI_COMM_WORLD, [&] {
        round.start();
        compute(true);
        round.finish();
      }));
    }
    typical = {quantile(communicating, 0.5), quantile(computing, 0.5), quantile(both, 0.5)};
    std::vector<double> hidden;
    for (const double together : both) {
      hidden.push_back((typical.communicate + typical.compute - together) /
                       std::min(typical.communicate, typical.compute));
    }
    return hidden;
  }

 private:
  bool calls_progress_;
  Buffer work_;
  std::uint64_t passes_ = 0;
};

void print(const Round& round, const char* threads, const std::vector<double>& hidden,
           const Times& times) {
  std::printf(
      "{\"by\": \"%s\", \"threads\": \"%s\", \"hidden\": %.4f, \"low\": %.4f, \"high\": %.4f, "
      "\"communicate_seconds\": %.6g, \"compute_seconds\": %.6g, \"both_seconds\": %.6g}\n",
      round.name, threads, quantile(hidden, 0.5), quantile(hidden, 0.1), quantile(hidden, 0.9),
      times.communicate, times.compute, times.both);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const bool multiple = std::strcmp(argv[2], "multiple") == 0;
  const int wanted = multiple ? MPI_THREAD_MULTIPLE : MPI_THREAD_FUNNELED;
  int provided = 0;
  MPI_Init_thread(&argc, &argv, wanted, &provided);
  if (provided < wanted || size_of(MPI_COMM_WORLD) != 2) return 2;
  const int rank = rank_of(MPI_COMM_WORLD);
  {
    const Index dimension = std::atoll(argv[1]);
    const auto count = static_cast<std::size_t>(dimension);
    echelon::Network network(echelon::Communicator(MPI_COMM_WORLD),
                             echelon::metropolis_weights(circle(2, 1)));
    auto mixer = network.mixer("x", dimension);
    AgentMatrix x(dimension, 1);
    AgentMatrix mixed(dimension, 1);
    fill(x, rank);
    Buffer received(count);
    Buffer other_mixed(count);
    MPI_Request requests[2];

    const Round rounds[] = {
        {"echelon", [&] { mixer.start(x); }, [&] { mixer.progress(); },
         [&] { mixer.finish(mixed); }},
        {"plain MPI",
         [&] {
           const int peer = 1 - rank;
           const int length = static_cast<int>(dimension);
           MPI_Irecv(received.data(), length, MPI_DOUBLE, peer, 0, MPI_COMM_WORLD, &requests[0]);
           MPI_Isend(x.data(), length, MPI_DOUBLE, peer, 0, MPI_COMM_WORLD, &requests[1]);
         },
         [&] {
           int done = 0;
           MPI_Testall(2, requests, &done, MPI_STATUSES_IGNORE);
         },
         [&] {
           MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
           const double* __restrict own = x.data();
           const double* __restrict a = received.data();
           double* __restrict out = other_mixed.data();
           for (std::size_t i = 0; i < count; ++i) out[i] = std::fma(0.5, a[i], 0.5 * own[i]);
         }}};
    Overlap overlap(!multiple);
    for (const Round& round : rounds) {
      Times times;
      const std::vector<double> hidden = overlap.measure(round, 7, times);
      if (rank == 0) print(round, argv[2], hidden, times);
    }
    require_equal(MPI_COMM_WORLD, mixed.data(), other_mixed.data(), count, "overlapped round");
  }
  MPI_Finalize();
}
