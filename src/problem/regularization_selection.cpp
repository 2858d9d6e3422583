#include "echelon/problem/regularization_selection.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "echelon/core/error.hpp"
#include "echelon/problem/catalog.hpp"

namespace echelon {

namespace {

/// Order of the figures' sums.
enum Sum : Index { validation_correct, validated, test_correct, test_loss, tested, sum_count };

/// Rows first .. first + count - 1.
SparseData row_range(const SparseData& data, std::int64_t first, std::int64_t count) {
  const auto begin = data.offsets.begin() + first;
  const std::int64_t low = *begin;
  const std::int64_t high = *(begin + count);
  SparseData result;
  result.features = data.features;
  result.offsets.assign(begin, begin + count + 1);
  for (std::int64_t& offset : result.offsets) offset -= low;
  result.columns.assign(data.columns.begin() + low, data.columns.begin() + high);
  result.values.assign(data.values.begin() + low, data.values.begin() + high);
  return result;
}

/// Reads the rows of all local agents in one call, since text is read from its beginning each time,
/// then hands them out in the order in which they were wanted.
class RowLoader {
 public:
  RowLoader(const std::string& path, std::int64_t features, const std::vector<std::uint8_t>& labels)
      : path_(path), labels_(labels) {
    data_.features = features;
  }

  void want(const SampleList& rows) {
    rows_.insert(rows_.end(), rows.begin(), rows.end());
    counts_.push_back(std::ssize(rows));
  }
  void load(const DataSource& source) {
    if (!rows_.empty()) data_ = source.libsvm_rows(path_, data_.features, rows_);
  }
  void take(SparseData& samples, std::vector<std::uint8_t>& labels) {
    const std::int64_t count = counts_[taken_++];
    samples = row_range(data_, first_, count);
    labels = labels_of(labels_, {rows_.begin() + first_, rows_.begin() + first_ + count});
    first_ += count;
  }

 private:
  const std::string& path_;
  const std::vector<std::uint8_t>& labels_;
  SparseData data_;
  SampleList rows_;
  std::vector<std::int64_t> counts_;
  std::size_t taken_ = 0;
  std::int64_t first_ = 0;
};

void evaluate(bool in_double, const SparseBatch& batch, std::span<const LogisticPoint> points) {
  if (in_double) {
    logistic_evaluate<double>(batch, points);
  } else {
    logistic_evaluate<float>(batch, points);
  }
}

double count_correct(const std::vector<std::uint8_t>& predictions,
                     const std::vector<std::uint8_t>& labels) {
  double result = 0;
  for (std::size_t j = 0; j < labels.size(); ++j) result += predictions[j] == labels[j] ? 1 : 0;
  return result;
}

/// A class of the file that no agent trains on would be learned from nothing.
void require_both_classes(const std::vector<std::uint8_t>& all,
                          const std::vector<std::uint8_t>& train,
                          const RegularizationSelectionOptions& options) {
  for (const std::uint8_t label : {std::uint8_t{0}, std::uint8_t{1}}) {
    const auto count = std::count(all.begin(), all.end(), label);
    require(count == 0 || std::count(train.begin(), train.end(), label) > 0, ErrorKind::usage,
            "problem.validation_fraction: no agent holds a training sample of class ", int{label},
            " (all ", count, " of ", options.data,
            " validate); choose a smaller fraction or another run.seed");
  }
}

}  // namespace

void RegularizationSelectionOptions::visit(OptionVisitor& visitor) {
  visitor("data", data, "LIBSVM file with two classes, plain or gzipped");
  visitor("test_data", test_data, "LIBSVM file for the figures only; empty = none");
  visitor("validation_fraction", validation_fraction, between(0, 1),
          "part of the samples that validates");
  visitor("start_x", start_x, between(-50, 50), "start of every x_k, a log coefficient");
  visitor("batch", batch, at_least(0), "samples per agent and call; 0 = all");
  visit_precision(visitor, precision);
  partition.visit(visitor);
}

RegularizationSelection::RegularizationSelection(AgentSet agents,
                                                 RegularizationSelectionOptions options,
                                                 const DataSource& source, std::uint64_t seed,
                                                 bool wants_double)
    : BilevelProblem(std::move(agents)),
      options_(std::move(options)),
      seed_(seed),
      double_(uses_double(options_.precision, wants_double)) {
  require(!options_.data.empty(), ErrorKind::usage,
          "problem.data: no file given; name a LIBSVM file");
  load(source);
}

void RegularizationSelection::load(const DataSource& source) {
  const AgentId total = agents().total;
  const auto summary = source.libsvm_summary(options_.data);
  const auto count = static_cast<std::int64_t>(summary.labels.size());
  validation_count_ = std::llround(options_.validation_fraction * static_cast<double>(count));
  train_count_ = count - validation_count_;
  require(validation_count_ >= 1 && train_count_ >= 1, ErrorKind::usage,
          "problem.validation_fraction: ", options_.validation_fraction, " of the ", count,
          " samples of ", options_.data,
          " leaves none on one side; choose a fraction inside (0, 1)");

  DataSource::LibsvmSummary test;
  if (!options_.test_data.empty()) test = source.libsvm_summary(options_.test_data);
  const std::int64_t features = std::max(summary.features, test.features);
  require(features >= 1, ErrorKind::bad_data, options_.data,
          ": no feature in any sample; name a LIBSVM file with features");
  features_ = static_cast<Index>(features);

  const std::array<std::int64_t, 2> sizes{train_count_, validation_count_};
  const auto parts = split_samples(count, sizes, seed_);
  const auto train_labels = labels_of(summary.labels, parts[0]);
  require_both_classes(summary.labels, train_labels, options_);
  Partition partition = deal_chosen(parts[0], train_labels, count, total, options_.partition,
                                    source, seed_, summary.ids);
  report_ = std::move(partition.report);
  SampleList test_samples(test.labels.size());
  std::iota(test_samples.begin(), test_samples.end(), std::int64_t{0});

  RowLoader rows(options_.data, features, summary.labels);
  RowLoader test_rows(options_.test_data, features, test.labels);
  for (const AgentId agent : agents().local) {
    rows.want(pick(parts[0], partition.samples[static_cast<std::size_t>(agent)]));
    rows.want(even_part(parts[1], total, agent));
    test_rows.want(even_part(test_samples, total, agent));
  }
  rows.load(source);
  test_rows.load(source);
  for (int local = 0; local < agents().count(); ++local) {
    Shard& shard = shards_.emplace_back();
    rows.take(shard.train.samples, shard.train.labels);
    rows.take(shard.validation.samples, shard.validation.labels);
    test_rows.take(shard.test.samples, shard.test.labels);
  }
}

std::int64_t RegularizationSelection::data_bytes() const {
  const auto bytes_of = [](const auto& numbers) {
    return std::ssize(numbers) * static_cast<std::int64_t>(sizeof(numbers[0]));
  };
  std::int64_t bytes = 0;
  for (const Shard& shard : shards_) {
    for (const Part* part : {&shard.train, &shard.validation, &shard.test}) {
      const SparseData& rows = part->samples;
      bytes += bytes_of(rows.offsets) + bytes_of(rows.columns) + bytes_of(rows.values) +
               bytes_of(part->labels);
    }
  }
  return bytes;
}

const RegularizationSelection::Part& RegularizationSelection::part(Level level, int local) const {
  return level == Level::upper ? shard(local).validation : shard(local).train;
}

SampleDraw RegularizationSelection::draw(Level level, int local, const Sample& sample) const {
  return draw_samples(level, agents().local[static_cast<std::size_t>(local)], sample,
                      part(level, local).samples.rows(), options_.batch, seed_);
}

double RegularizationSelection::factor(Level level) const {
  return static_cast<double>(agents().total) /
         static_cast<double>(level == Level::upper ? validation_count_ : train_count_);
}

double RegularizationSelection::value(Level level, int local, const Sample& sample,
                                      const ConstVector& x, const ConstVector& y) const {
  const SampleDraw drawn = draw(level, local, sample);
  const Part& data = part(level, local);
  const SparseBatch batch{data.samples, data.labels.data(), drawn.selection()};
  std::vector<double> losses(static_cast<std::size_t>(batch.count()));
  const LogisticPoint point{.y = y.data(), .losses = losses.data()};
  logistic_evaluate<double>(batch, std::span(&point, 1));
  double sum = 0;
  for (const double loss : losses) sum += loss;
  sum *= factor(level) * drawn.scale;
  if (level == Level::upper) return sum;
  double penalty = 0;
  for (Index k = 0; k < features_; ++k) penalty += std::exp(x(k)) * y(k) * y(k);
  return sum + penalty / (2 * static_cast<double>(features_));
}

void RegularizationSelection::gradient(Level level, int local, const Sample& sample,
                                       std::span<const AgentPoint> points) const {
  const SampleDraw drawn = draw(level, local, sample);
  const Part& data = part(level, local);
  std::vector<LogisticPoint> wanted;
  for (const AgentPoint& point : points) {
    if (!point.wants_gy()) continue;
    wanted.push_back({.y = point.y.data(),
                      .scale = factor(level) * drawn.scale,
                      .gradient = Vector(point.gy).data()});
  }
  evaluate(double_ || sample.full, {data.samples, data.labels.data(), drawn.selection()}, wanted);

  const auto dimension = static_cast<double>(features_);
  for (const AgentPoint& point : points) {
    Vector gx = point.gx;
    Vector gy = point.gy;
    if (level == Level::upper) {
      if (point.wants_gx()) gx.setZero();
      continue;
    }
    for (Index k = 0; k < features_; ++k) {
      const double pull = std::exp(point.x(k)) * point.y(k) / dimension;
      if (point.wants_gx()) gx(k) = pull * point.y(k) / 2;
      if (point.wants_gy()) gy(k) += pull;
    }
  }
}

void RegularizationSelection::product(int local, const Sample& sample,
                                      const AgentProduct& product) const {
  Vector hv = product.hv;
  Vector jv = product.jv;
  if (product.wants_hv()) {
    const SampleDraw drawn = draw(Level::lower, local, sample);
    const Part& data = part(Level::lower, local);
    logistic_product<double>({data.samples, data.labels.data(), drawn.selection()},
                             product.y.data(), product.v.data(), factor(Level::lower) * drawn.scale,
                             hv.data());
  }
  const auto dimension = static_cast<double>(features_);
  for (Index k = 0; k < features_; ++k) {
    const double pull = std::exp(product.x(k)) * product.v(k) / dimension;
    if (product.wants_hv()) hv(k) += pull;
    if (product.wants_jv()) jv(k) = pull * product.y(k);
  }
}

std::vector<std::string> RegularizationSelection::metric_names() const {
  if (options_.test_data.empty()) return {"validation_accuracy"};
  return {"validation_accuracy", "test_accuracy", "test_loss"};
}

Index RegularizationSelection::metric_sums() const {
  return sum_count;
}

void RegularizationSelection::add_metric_sums(int local, const ConstVector&, const ConstVector& y,
                                              Eigen::Ref<VectorXd> sums) const {
  const Shard& own = shard(local);
  std::vector<std::uint8_t> predictions(own.validation.labels.size());
  const LogisticPoint validation{.y = y.data(), .predictions = predictions.data()};
  logistic_evaluate<double>(own.validation.all(), std::span(&validation, 1));
  sums(validation_correct) += count_correct(predictions, own.validation.labels);
  sums(validated) += static_cast<double>(predictions.size());

  predictions.resize(own.test.labels.size());
  std::vector<double> losses(own.test.labels.size());
  const LogisticPoint test{
      .y = y.data(), .losses = losses.data(), .predictions = predictions.data()};
  logistic_evaluate<double>(own.test.all(), std::span(&test, 1));
  sums(test_correct) += count_correct(predictions, own.test.labels);
  for (const double loss : losses) sums(test_loss) += loss;
  sums(tested) += static_cast<double>(predictions.size());
}

std::vector<double> RegularizationSelection::finish_metrics(const VectorXd& sums) const {
  std::vector<double> result{sums(validation_correct) / sums(validated)};
  if (options_.test_data.empty()) return result;
  result.push_back(sums(test_correct) / sums(tested));
  result.push_back(sums(test_loss) / sums(tested));
  return result;
}

std::vector<BaselineInfo> RegularizationSelection::baselines() const {
  return {{"start", "training samples with all coefficients left at the start"}};
}

void RegularizationSelection::baseline_gradient(std::size_t, int local, const ConstVector& y,
                                                Vector gy) const {
  const LogisticPoint point{.y = y.data(), .scale = factor(Level::lower), .gradient = gy.data()};
  logistic_evaluate<double>(shard(local).train.all(), std::span(&point, 1));
  gy += std::exp(options_.start_x) / static_cast<double>(features_) * y;
}

namespace detail {

std::vector<ProblemEntry> regularization_selection_parts() {
  return {problem_part<RegularizationSelection, RegularizationSelectionOptions>(
      {.name = "regularization",
       .summary = "per-coordinate l2 regularization of logistic regression (LIBSVM files)",
       .formula = "g_i = n/N_tr sum_j CE(a_j'y) + 1/(2d) sum_k e^{x_k} y_k^2;  f_i = n/N_val sum_j "
                  "CE(a_j'y)",
       .reference = "F. Pedregosa, ICML 2016, arXiv:1602.02355"})};
}

}  // namespace detail

}  // namespace echelon
