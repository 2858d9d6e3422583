#include "echelon/problem/client_softmax.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "echelon/core/error.hpp"
#include "echelon/core/random.hpp"
#include "echelon/problem/catalog.hpp"
#include "image_files.hpp"

namespace echelon {

namespace {

enum Sum : Index { correct, loss, tested };

/// What a stream of draws is for.
enum Stream : std::uint64_t { skew = 8, minibatch = 16 };

std::vector<std::vector<std::int64_t>> group_by_label(const std::vector<std::uint8_t>& labels) {
  std::vector<std::vector<std::int64_t>> groups(ClientSoftmax::classes);
  for (std::size_t row = 0; row < labels.size(); ++row) {
    groups[labels[row]].push_back(static_cast<std::int64_t>(row));
  }
  return groups;
}

}  // namespace

void ClientSoftmaxOptions::visit(OptionVisitor& visitor) {
  visitor("images", images, "IDX file of images, plain or gzipped");
  visitor("labels", labels, "IDX file of their labels, 0 to 9");
  visitor("test", test, at_least(0), "images kept out of the pool, for the figures only");
  visitor("client_train", client_train, at_least(1), "training samples of a client");
  visitor("client_validation", client_validation, at_least(1), "validation samples of a client");
  visitor("client_test", client_test, at_least(0), "test samples of a client");
  visitor(
      "dirichlet_alpha", dirichlet_alpha, at_least(0),
      "concentration of each client's label proportions: small = few labels; 0 = as in the pool");
  visitor("start_x", start_x, between(-50, 50), "start of every x_c, a log coefficient");
  visitor("batch", batch, at_least(0), "samples per client and call; 0 = all");
  visit_precision(visitor, precision);
}

ClientSoftmax::ClientSoftmax(AgentSet agents, ClientSoftmaxOptions options,
                             const DataSource& source, std::uint64_t seed, bool wants_double)
    : BilevelProblem(std::move(agents)),
      options_(std::move(options)),
      seed_(seed),
      double_(uses_double(options_.precision, wants_double)) {
  load(source);
}

void ClientSoftmax::load(const DataSource& source) {
  const auto file_labels =
      detail::image_labels(source, options_.images, options_.labels, static_cast<int>(classes));
  const std::int64_t count = std::ssize(file_labels);
  require(options_.test < count, ErrorKind::usage, "problem.test = ", options_.test, " of the ",
          count, " images of ", options_.images, " leaves no pool; choose less");
  const bool tests = options_.client_test > 0;
  require(!tests || options_.test > 0, ErrorKind::usage,
          "problem.client_test = ", options_.client_test,
          " of no test images; choose problem.test >= 1 or problem.client_test = 0");
  const std::array<std::int64_t, 2> sizes{count - options_.test, options_.test};
  const auto parts = split_samples(count, sizes, seed_);
  detail::ImageLoader images(options_.images, file_labels);
  for (const SampleList& part : parts) images.want(part);
  images.load(source);
  pool_ = images.take(parts[0]);
  test_ = images.take(parts[1]);
  by_label_ = group_by_label(pool_.labels);
  test_by_label_ = group_by_label(test_.labels);
  if (options_.dirichlet_alpha == 0) return;
  for (std::size_t label = 0; label < by_label_.size(); ++label) {
    const bool missing = by_label_[label].empty() || (tests && test_by_label_[label].empty());
    require(!missing, ErrorKind::usage, "problem.dirichlet_alpha: no image with label ", label,
            " in the pool or among the test images, from which clients would draw; choose "
            "problem.dirichlet_alpha = 0, or another split");
  }
}

std::int64_t ClientSoftmax::data_bytes() const {
  return pool_.bytes() + test_.bytes();
}

std::vector<double> ClientSoftmax::proportions(AgentId client) const {
  std::vector<double> share(classes);
  Draws draws(seed_, Purpose::partition, client, 0, Stream::skew);
  for (double& one : share) one = draws.log_gamma(options_.dirichlet_alpha);
  const double largest = *std::max_element(share.begin(), share.end());
  for (double& one : share) one = std::exp(one - largest);
  std::partial_sum(share.begin(), share.end(), share.begin());
  return share;
}

SampleList ClientSoftmax::rows(AgentId client, Part part, const Sample* sample) const {
  const bool tests = part == Part::test;
  const std::int64_t count = tests                 ? options_.client_test
                             : part == Part::train ? options_.client_train
                                                   : options_.client_validation;
  const bool draws_batch = sample != nullptr && !sample->full && options_.batch > 0;
  SampleList chosen(static_cast<std::size_t>(draws_batch ? options_.batch : count));
  if (draws_batch) {
    const std::uint64_t call =
        (std::uint64_t{sample->stream} << 32) | (2 * sample->step + (part == Part::train ? 0 : 1));
    Draws draws(seed_, Purpose::minibatch, client, sample->iteration, call);
    for (auto& one : chosen) {
      one = static_cast<std::int64_t>(draws.below(static_cast<std::uint64_t>(count)));
    }
  } else {
    std::iota(chosen.begin(), chosen.end(), std::int64_t{0});
  }
  const bool skewed = options_.dirichlet_alpha > 0;
  const std::vector<double> share = skewed ? proportions(client) : std::vector<double>{};
  const ByLabel& by_label = tests ? test_by_label_ : by_label_;
  const Index pool = tests ? test_.samples.rows() : pool_.samples.rows();
  for (auto& one : chosen) {  // the client's sample of this number becomes its row in the pool
    Draws draws(seed_, Purpose::partition, client, static_cast<std::uint64_t>(one) + 1,
                static_cast<std::uint64_t>(part));
    if (!skewed) {
      one = static_cast<std::int64_t>(draws.below(static_cast<std::uint64_t>(pool)));
      continue;
    }
    const double at = draws.uniform() * share.back();
    const auto label = static_cast<std::size_t>(
        std::lower_bound(share.begin(), share.end() - 1, at) - share.begin());
    const auto& rows_of_label = by_label[label];
    one = rows_of_label[draws.below(rows_of_label.size())];
  }
  return chosen;
}

SampleList ClientSoftmax::rows(Level level, int local, const Sample& sample) const {
  return rows(agents().local[static_cast<std::size_t>(local)],
              level == Level::upper ? Part::validation : Part::train, &sample);
}

double ClientSoftmax::value(Level level, int local, const Sample& sample, const ConstVector& x,
                            const ConstVector& y) const {
  const SampleList chosen = rows(level, local, sample);
  std::vector<double> losses(chosen.size());
  const SoftmaxPoint point{.y = y.data(), .losses = losses.data()};
  softmax_evaluate<double>(batch(chosen), classes, std::span(&point, 1));
  double sum = 0;
  for (const double one : losses) sum += one;
  sum /= static_cast<double>(losses.size());
  if (level == Level::upper) return sum;
  for (Index c = 0; c < classes; ++c) {
    sum += 0.5 * std::exp(x(c)) * y.segment(c * block(), block()).squaredNorm();
  }
  return sum;
}

void ClientSoftmax::gradient(Level level, int local, const Sample& sample,
                             std::span<const AgentPoint> points) const {
  const SampleList chosen = rows(level, local, sample);
  const double scale = 1 / static_cast<double>(chosen.size());
  std::vector<SoftmaxPoint> wanted;
  for (const AgentPoint& point : points) {
    if (!point.wants_gy()) continue;
    wanted.push_back({.y = point.y.data(), .scale = scale, .gradient = Vector(point.gy).data()});
  }
  if (double_ || sample.full) {
    softmax_evaluate<double>(batch(chosen), classes, wanted);
  } else {
    softmax_evaluate<float>(batch(chosen), classes, wanted);
  }
  for (const AgentPoint& point : points) {
    Vector gx = point.gx;
    Vector gy = point.gy;
    if (level == Level::upper) {
      if (point.wants_gx()) gx.setZero();
      continue;
    }
    for (Index c = 0; c < classes; ++c) {
      const double weight = std::exp(point.x(c));
      const auto own = point.y.segment(c * block(), block());
      if (point.wants_gx()) gx(c) = 0.5 * weight * own.squaredNorm();
      if (point.wants_gy()) gy.segment(c * block(), block()) += weight * own;
    }
  }
}

void ClientSoftmax::product(int local, const Sample& sample, const AgentProduct& product) const {
  const SampleList chosen = rows(Level::lower, local, sample);
  Vector hv = product.hv;
  Vector jv = product.jv;
  if (product.wants_hv()) {
    softmax_product<double>(batch(chosen), classes,
                            {.y = product.y.data(),
                             .v = product.v.data(),
                             .scale = 1 / static_cast<double>(chosen.size()),
                             .hv = hv.data()});
  }
  for (Index c = 0; c < classes; ++c) {
    const double weight = std::exp(product.x(c));
    const auto v = product.v.segment(c * block(), block());
    if (product.wants_hv()) hv.segment(c * block(), block()) += weight * v;
    if (product.wants_jv()) jv(c) = weight * product.y.segment(c * block(), block()).dot(v);
  }
}

void ClientSoftmax::add_metric_sums(int local, const ConstVector&, const ConstVector& y,
                                    Eigen::Ref<VectorXd> sums) const {
  if (options_.client_test == 0) return;
  const SampleList chosen =
      rows(agents().local[static_cast<std::size_t>(local)], Part::test, nullptr);
  std::vector<double> losses(chosen.size());
  std::vector<std::uint8_t> predictions(chosen.size());
  const SoftmaxPoint point{
      .y = y.data(), .losses = losses.data(), .predictions = predictions.data()};
  softmax_evaluate<double>(test_.batch(&chosen), classes, std::span(&point, 1));
  for (std::size_t b = 0; b < chosen.size(); ++b) {
    sums(correct) += predictions[b] == test_.labels[static_cast<std::size_t>(chosen[b])] ? 1 : 0;
    sums(loss) += losses[b];
  }
  sums(tested) += static_cast<double>(chosen.size());
}

std::vector<double> ClientSoftmax::finish_metrics(const VectorXd& sums) const {
  const double none = std::numeric_limits<double>::quiet_NaN();
  if (sums(tested) == 0) return {none, none};
  return {sums(correct) / sums(tested), sums(loss) / sums(tested)};
}

namespace detail {

std::vector<ProblemEntry> client_softmax_parts() {
  return {problem_part<ClientSoftmax, ClientSoftmaxOptions>(
      {.name = "client-softmax",
       .summary =
           "softmax regression of any number of clients over one pool of images, l2 coefficients "
           "per "
           "class (IDX files)",
       .formula =
           "g_i = 1/n_i sum_j CE_j(y) + 1/2 sum_c e^{x_c} |y_c|^2;  f_i = 1/m_i sum_j CE_j(y)",
       .reference = "F. Pedregosa, ICML 2016, arXiv:1602.02355"})};
}

}  // namespace detail

}  // namespace echelon
