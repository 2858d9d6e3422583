// Rounds of federated clients beside the gradient kernels that they contain, both in one run.
//
//     bench_client_rounds IMAGES LABELS CLIENTS METHOD PAIRS
//
// METHOD is lower-only (federated averaging of the lower level) or a bilevel method. 100 clients of
// a round, 10 local steps on batches of 10, images 784 x 10 softmax. A pair is a round, then as
// many bare kernels on as many batches, each client's with a copy of the model in and out, in the
// method's precision. Prints: median seconds of a round, of its kernels, median of their ratio,
// client updates per second, kernels per round, peak resident bytes, bytes of the samples.

#include <mpi.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <string>
#include <vector>

#include "echelon/core/random.hpp"
#include "echelon/experiment/experiment.hpp"
#include "echelon/io/file_data_source.hpp"
#include "echelon/problem/softmax_kernel.hpp"

namespace {

using namespace echelon;

constexpr int participants = 100;
constexpr int local_steps = 10;
constexpr int batch = 10;
constexpr Index classes = 10;

double seconds_of(const auto& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

/// The kernels of a round on a pool of the same images.
class Kernels {
 public:
  Kernels(const std::string& images, const std::string& labels, bool in_double)
      : in_double_(in_double) {
    const FileDataSource source;
    labels_ = source.idx_labels(labels);
    std::vector<std::int64_t> all(labels_.size());
    std::iota(all.begin(), all.end(), std::int64_t{0});
    const DenseData data = source.idx_images(images, all);
    samples_ = DenseSamples(data, 0, data.rows());
    server_.setZero((samples_.features() + 1) * classes);
    models_.resize(participants, server_);
    gradient_.setZero(server_.size());
  }

  /// `per_step` gradients at each local step of each client.
  void round(int per_step, std::uint64_t number) {
    std::vector<std::int64_t> rows(batch);
    for (auto& model : models_) model = server_;
    for (int step = 0; step < local_steps; ++step) {
      for (int i = 0; i < participants; ++i) {
        Draws draws(1, Purpose::minibatch, i, number, static_cast<std::uint64_t>(step));
        for (int call = 0; call < per_step; ++call) {
          for (auto& row : rows) row = static_cast<std::int64_t>(draws.below(labels_.size()));
          const SoftmaxPoint point{.y = models_[static_cast<std::size_t>(i)].data(),
                                   .scale = 0.1,
                                   .gradient = gradient_.data()};
          const DenseBatch chosen{samples_, labels_.data(), &rows};
          if (in_double_) {
            softmax_evaluate<double>(chosen, classes, {&point, 1});
          } else {
            softmax_evaluate<float>(chosen, classes, {&point, 1});
          }
        }
      }
    }
    for (const auto& model : models_) server_ += 1e-9 * model;
  }

  double bytes() const {
    return static_cast<double>(samples_.rows() * samples_.stride()) * sizeof(float);
  }

 private:
  bool in_double_;
  std::vector<std::uint8_t> labels_;
  DenseSamples samples_;
  VectorXd server_;
  std::vector<VectorXd> models_;
  VectorXd gradient_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  MPI_Init(&argc, &argv);
  {
    Configuration configuration;
    const std::pair<const char*, std::string> settings[] = {
        {"problem.name", "client-softmax"},
        {"problem.images", argv[1]},
        {"problem.labels", argv[2]},
        {"problem.batch", std::to_string(batch)},
        {"network.agents", std::to_string(participants)},
        {"network.topology", "star"},
        {"participation.clients", argv[3]},
        {"method.name", argv[4]},
        {"consensus.strategy", "local-server"},
        {"consensus.local_steps", std::to_string(local_steps)},
        {"metrics.every", "1000000000"},
        {"run.iterations", "1000000"}};
    for (const auto& [key, value] : settings) configuration.set(key, value, "bench");
    Experiment experiment(Communicator(MPI_COMM_WORLD), std::move(configuration), FileDataSource());
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    std::uint64_t k = 0;
    const auto round = [&] {
      for (int step = 0; step < local_steps; ++step, ++k) {
        experiment.begin_iteration(k);
        experiment.method().iterate(k);
      }
    };
    round();
    const auto before = experiment.problem().counts().gradients;
    round();
    const auto calls = static_cast<int>(experiment.problem().counts().gradients - before);
    getrusage(RUSAGE_SELF, &usage);
    const double peak = static_cast<double>(usage.ru_maxrss) * 1024;
    Kernels kernels(argv[1], argv[2], experiment.method_entry().uses_products);
    const int per_step = calls / (participants * local_steps);
    std::vector<double> rounds, bare, ratios;
    for (int pair = 0; pair < std::atoi(argv[5]); ++pair) {
      rounds.push_back(seconds_of(round));
      bare.push_back(
          seconds_of([&] { kernels.round(per_step, static_cast<std::uint64_t>(pair)); }));
      ratios.push_back(rounds.back() / bare.back());
    }
    std::printf("%.6f %.6f %.4f %.1f %d %.0f %.0f\n", median(rounds), median(bare), median(ratios),
                participants / median(rounds), calls, peak, kernels.bytes());
  }
  MPI_Finalize();
}
