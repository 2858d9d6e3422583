#include "echelon/problem/hyper_cleaning.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "echelon/core/error.hpp"
#include "echelon/core/random.hpp"
#include "echelon/problem/catalog.hpp"
#include "image_files.hpp"

namespace echelon {

namespace {

/// Order of the figures' sums.
enum Sum : Index {
  correct,
  loss,
  tested,
  true_positive,
  false_positive,
  false_negative,
  sum_count
};

enum Baseline : std::size_t { noisy, validation_only, clean };

double sigma(double t) {
  return 1 / (1 + std::exp(-t));
}
/// sigma'(t), without inf * 0 at either end.
double sigma_slope(double t) {
  const double decay = std::exp(-std::abs(t));
  return decay / ((1 + decay) * (1 + decay));
}

std::vector<std::uint8_t> with_noise(std::vector<std::uint8_t> labels, double probability,
                                     std::uint64_t seed) {
  for (std::size_t j = 0; j < labels.size(); ++j) {
    Draws draws(seed, Purpose::label_noise, 0, j);
    if (draws.uniform() < probability) {
      labels[j] = static_cast<std::uint8_t>(draws.below(HyperCleaning::classes));
    }
  }
  return labels;
}

void check(const HyperCleaningOptions& options, std::int64_t count) {
  // Compared one after the other, so that no sum overflows.
  const bool fits = options.train <= count && options.validation <= count - options.train &&
                    options.test <= count - options.train - options.validation;
  require(fits, ErrorKind::usage,
          "problem.train, problem.validation, problem.test: ", options.train, " + ",
          options.validation, " + ", options.test, " samples asked for (but ", options.labels,
          " has ", count, "); ask for at most ", count, " in all");
}

template <class... Arguments>
void evaluate(bool in_double, Arguments&&... arguments) {
  if (in_double) {
    softmax_evaluate<double>(std::forward<Arguments>(arguments)...);
  } else {
    softmax_evaluate<float>(std::forward<Arguments>(arguments)...);
  }
}

}  // namespace

void HyperCleaningOptions::visit(OptionVisitor& visitor) {
  visitor("images", images, "IDX file of images, plain or gzipped");
  visitor("labels", labels, "IDX file of their labels, 0 to 9");
  visitor("train", train, at_least(1), "training samples, each with a weight to learn");
  visitor("validation", validation, at_least(1), "clean samples of the upper level");
  visitor("test", test, at_least(0), "samples for the figures only");
  visitor("label_noise", label_noise, between(0, 1),
          "probability that a training label is redrawn uniformly");
  visitor("regularization", regularization, at_least(0), "reg of reg |y|^2 in the lower level");
  visitor("batch", batch, at_least(0), "samples per agent and call; 0 = all");
  visit_precision(visitor, precision);
  partition.visit(visitor);
}

HyperCleaning::HyperCleaning(AgentSet agents, HyperCleaningOptions options,
                             const DataSource& source, std::uint64_t seed, bool wants_double)
    : BilevelProblem(std::move(agents)),
      options_(std::move(options)),
      seed_(seed),
      double_(uses_double(options_.precision, wants_double)) {
  require(options_.train >= 1 && options_.validation >= 1 && options_.test >= 0, ErrorKind::usage,
          "problem.train, problem.validation, problem.test: ", options_.train, ", ",
          options_.validation, ", ", options_.test,
          " samples; at least 1 to train, 1 to validate, 0 to test");
  const auto labels =
      detail::image_labels(source, options_.images, options_.labels, static_cast<int>(classes));
  check(options_, static_cast<std::int64_t>(labels.size()));
  load(source, labels);
}

void HyperCleaning::load(const DataSource& source, const std::vector<std::uint8_t>& file_labels) {
  const AgentId total = agents().total;
  const std::array<std::int64_t, 3> sizes{options_.train, options_.validation, options_.test};
  const auto parts = split_samples(static_cast<std::int64_t>(file_labels.size()), sizes, seed_);
  const auto noisy_labels =
      with_noise(labels_of(file_labels, parts[0]), options_.label_noise, seed_);
  Partition partition = deal_chosen(parts[0], noisy_labels, std::ssize(file_labels), total,
                                    options_.partition, source, seed_);
  report_ = std::move(partition.report);

  struct Images {
    SampleList train, validation, test;
  };
  std::vector<Images> wanted;
  detail::ImageLoader images(options_.images, file_labels);
  for (const AgentId agent : agents().local) {
    const SampleList& ids = partition.samples[static_cast<std::size_t>(agent)];
    const Images& own = wanted.emplace_back(Images{
        pick(parts[0], ids), even_part(parts[1], total, agent), even_part(parts[2], total, agent)});
    for (const SampleList* list : {&own.train, &own.validation, &own.test}) images.want(*list);
    shards_.emplace_back().ids = ids;
  }
  images.load(source);
  features_ = images.features();
  for (std::size_t local = 0; local < shards_.size(); ++local) {
    Shard& shard = shards_[local];
    shard.train = images.take(wanted[local].train);
    shard.true_labels = std::exchange(shard.train.labels, labels_of(noisy_labels, shard.ids));
    shard.validation = images.take(wanted[local].validation);
    shard.test = images.take(wanted[local].test);
  }
}

std::int64_t HyperCleaning::data_bytes() const {
  std::int64_t bytes = 0;
  for (const Shard& shard : shards_) {
    bytes += shard.train.bytes() + shard.validation.bytes() + shard.test.bytes();
  }
  return bytes;
}

const LabelledRows& HyperCleaning::part(Level level, int local) const {
  return level == Level::upper ? shard(local).validation : shard(local).train;
}

SampleDraw HyperCleaning::draw(Level level, int local, const Sample& sample) const {
  return draw_samples(level, agents().local[static_cast<std::size_t>(local)], sample,
                      part(level, local).samples.rows(), options_.batch, seed_);
}

double HyperCleaning::factor(Level level) const {
  return static_cast<double>(agents().total) /
         static_cast<double>(level == Level::upper ? options_.validation : options_.train);
}

std::size_t HyperCleaning::x_index(int local, const DenseBatch& batch, Index position) const {
  return static_cast<std::size_t>(shard(local).ids[static_cast<std::size_t>(batch.row(position))]);
}

std::vector<double> HyperCleaning::sample_weights(int local, const DenseBatch& batch,
                                                  const ConstVector& x) const {
  std::vector<double> weights(static_cast<std::size_t>(batch.count()));
  for (Index b = 0; b < batch.count(); ++b) {
    weights[static_cast<std::size_t>(b)] = sigma(x.data()[x_index(local, batch, b)]);
  }
  return weights;
}

double HyperCleaning::value(Level level, int local, const Sample& sample, const ConstVector& x,
                            const ConstVector& y) const {
  const SampleDraw drawn = draw(level, local, sample);
  const LabelledRows& data = part(level, local);
  const DenseBatch batch = data.batch(drawn.selection());
  std::vector<double> losses(static_cast<std::size_t>(batch.count()));
  const SoftmaxPoint point{.y = y.data(), .losses = losses.data()};
  softmax_evaluate<double>(batch, classes, std::span(&point, 1));
  std::vector<double> weights(losses.size(), 1.0);
  if (level == Level::lower) weights = sample_weights(local, batch, x);
  double sum = 0;
  for (std::size_t b = 0; b < losses.size(); ++b) sum += weights[b] * losses[b];
  sum *= factor(level) * drawn.scale;
  return level == Level::upper ? sum : sum + options_.regularization * y.dot(y);
}

void HyperCleaning::gradient(Level level, int local, const Sample& sample,
                             std::span<const AgentPoint> points) const {
  const SampleDraw drawn = draw(level, local, sample);
  const LabelledRows& data = part(level, local);
  const DenseBatch batch = data.batch(drawn.selection());
  const double scale = factor(level) * drawn.scale;
  const bool lower = level == Level::lower;

  std::vector<std::vector<double>> weights(points.size());
  std::vector<std::vector<double>> losses(points.size());
  std::vector<SoftmaxPoint> wanted;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const AgentPoint& point = points[i];
    if (!point.wants_gy() && !(lower && point.wants_gx())) continue;
    SoftmaxPoint& next = wanted.emplace_back(SoftmaxPoint{.y = point.y.data(), .scale = scale});
    if (point.wants_gy()) {
      next.gradient = Vector(point.gy).data();
      if (lower) weights[i] = sample_weights(local, batch, point.x);
      if (lower) next.weights = weights[i].data();
    }
    if (lower && point.wants_gx()) {
      losses[i].resize(static_cast<std::size_t>(batch.count()));
      next.losses = losses[i].data();
    }
  }
  if (!wanted.empty()) {
    evaluate(double_ || sample.full, batch, classes, std::span<const SoftmaxPoint>(wanted));
  }
  for (std::size_t i = 0; i < points.size(); ++i) {
    const AgentPoint& point = points[i];
    if (point.wants_gy() && lower) Vector(point.gy) += 2 * options_.regularization * point.y;
    if (!point.wants_gx()) continue;
    Vector gx = point.gx;
    gx.setZero();
    for (Index b = 0; lower && b < batch.count(); ++b) {
      const std::size_t j = x_index(local, batch, b);
      gx.data()[j] +=
          scale * sigma_slope(point.x.data()[j]) * losses[i][static_cast<std::size_t>(b)];
    }
  }
}

void HyperCleaning::product(int local, const Sample& sample, const AgentProduct& product) const {
  const SampleDraw drawn = draw(Level::lower, local, sample);
  const LabelledRows& data = part(Level::lower, local);
  const DenseBatch batch = data.batch(drawn.selection());
  const double scale = factor(Level::lower) * drawn.scale;
  const auto weights = sample_weights(local, batch, product.x);
  std::vector<double> slopes(weights.size());
  Vector hv = product.hv;
  Vector jv = product.jv;
  softmax_product<double>(batch, classes,
                          {.y = product.y.data(),
                           .v = product.v.data(),
                           .weights = weights.data(),
                           .scale = scale,
                           .hv = hv.data(),
                           .slopes = product.wants_jv() ? slopes.data() : nullptr});
  if (product.wants_hv()) hv += 2 * options_.regularization * product.v;
  if (!product.wants_jv()) return;
  jv.setZero();
  for (Index b = 0; b < batch.count(); ++b) {
    const std::size_t j = x_index(local, batch, b);
    jv.data()[j] += scale * sigma_slope(product.x.data()[j]) * slopes[static_cast<std::size_t>(b)];
  }
}

std::vector<std::string> HyperCleaning::metric_names() const {
  return {"test_accuracy", "test_loss", "f1"};
}

Index HyperCleaning::metric_sums() const {
  return sum_count;
}

void HyperCleaning::add_metric_sums(int local, const ConstVector& x, const ConstVector& y,
                                    Eigen::Ref<VectorXd> sums) const {
  const Shard& own = shard(local);
  const auto count = own.test.labels.size();
  std::vector<double> losses(count);
  std::vector<std::uint8_t> predictions(count);
  const SoftmaxPoint point{
      .y = y.data(), .losses = losses.data(), .predictions = predictions.data()};
  softmax_evaluate<double>(own.test.batch(), classes, std::span(&point, 1));
  for (std::size_t b = 0; b < count; ++b) {
    sums(correct) += predictions[b] == own.test.labels[b] ? 1 : 0;
    sums(loss) += losses[b];
  }
  sums(tested) += static_cast<double>(count);
  for (std::size_t j = 0; j < own.ids.size(); ++j) {
    const bool is_clean = own.train.labels[j] == own.true_labels[j];
    const bool guess = x(own.ids[j]) > 0;
    sums(true_positive) += guess && is_clean ? 1 : 0;
    sums(false_positive) += guess && !is_clean ? 1 : 0;
    sums(false_negative) += !guess && is_clean ? 1 : 0;
  }
}

std::vector<double> HyperCleaning::finish_metrics(const VectorXd& sums) const {
  const double none = std::numeric_limits<double>::quiet_NaN();
  const double wrong = sums(false_positive) + sums(false_negative);
  const double found = 2 * sums(true_positive);
  const double guessed =
      sums(true_positive) + sums(false_positive);  // as clean; none, and there is no F1
  return {sums(tested) > 0 ? sums(correct) / sums(tested) : none,
          sums(tested) > 0 ? sums(loss) / sums(tested) : none,
          guessed > 0 ? found / (found + wrong) : none};
}

std::vector<BaselineInfo> HyperCleaning::baselines() const {
  return {{"noisy", "training samples with the labels as given, all weights 1"},
          {"validation-only", "validation samples alone, with the same regularization"},
          {"clean", "training samples with their true labels, all weights 1"}};
}

void HyperCleaning::baseline_gradient(std::size_t baseline, int local, const ConstVector& y,
                                      Vector gy) const {
  const Level level = baseline == validation_only ? Level::upper : Level::lower;
  const LabelledRows& data = part(level, local);
  const auto& labels = baseline == clean ? shard(local).true_labels : data.labels;
  const SoftmaxPoint point{.y = y.data(), .scale = factor(level), .gradient = gy.data()};
  softmax_evaluate<double>({data.samples, labels.data()}, classes, std::span(&point, 1));
  gy += 2 * options_.regularization * y;
}

namespace detail {

std::vector<ProblemEntry> hyper_cleaning_parts() {
  return {problem_part<HyperCleaning, HyperCleaningOptions>(
      {.name = "hyper-cleaning",
       .summary =
           "weights of training samples with wrong labels, from a small clean set (IDX files)",
       .formula = "g_i = n/N_tr sum_j sigma(x_j) CE_j(y) + reg |y|^2;  f_i = n/N_val sum_j CE_j(y)",
       .reference =
           "L. Franceschi, M. Donini, P. Frasconi, M. Pontil, ICML 2017, arXiv:1703.01785"})};
}

}  // namespace detail

}  // namespace echelon
