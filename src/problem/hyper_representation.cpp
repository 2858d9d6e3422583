#include "echelon/problem/hyper_representation.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "echelon/core/error.hpp"
#include "echelon/problem/catalog.hpp"
#include "image_files.hpp"

namespace echelon {

namespace {

/// Order of the figures' sums.
enum Sum : Index { correct, tested, loss, validated, sum_count };

void evaluate(bool in_double, const DenseBatch& batch, const MlpShape& shape,
              std::span<const MlpPoint> points) {
  if (in_double) {
    mlp_evaluate<double>(batch, shape, points);
  } else {
    mlp_evaluate<float>(batch, shape, points);
  }
}

void check(const HyperRepresentationOptions& options, std::int64_t count) {
  require(options.samples >= 0 && options.samples <= count, ErrorKind::usage,
          "problem.samples: ", options.samples, " samples asked for (but ", options.labels, " has ",
          count, "); ask for 0 (all) to ", count);
  require(options.validation_fraction >= 0 && options.test_fraction >= 0 &&
              options.validation_fraction + options.test_fraction < 1,
          ErrorKind::usage,
          "problem.validation_fraction, problem.test_fraction: ", options.validation_fraction,
          " + ", options.test_fraction,
          " leaves a client nothing to train on; choose two numbers with a sum below 1");
}

double sum_of(const std::vector<double>& losses) {
  double sum = 0;
  for (const double one : losses) sum += one;
  return sum;
}

}  // namespace

void HyperRepresentationOptions::visit(OptionVisitor& visitor) {
  visitor("images", images, "IDX file of images, plain or gzipped");
  visitor("labels", labels, "IDX file of their labels, 0 to 9");
  visitor("samples", samples, at_least(0), "random samples of the files that take part; 0 = all");
  visitor("validation_fraction", validation_fraction, between(0, 1),
          "part of a client's samples that is for the upper level");
  visitor("test_fraction", test_fraction, between(0, 1),
          "part of a client's samples that is for the figures only");
  visitor("hidden", hidden, "widths of the feature layers, joined by `-`");
  visitor.choice("activation", activation, activation_names(), "of the feature layers");
  visitor("regularization", regularization, at_least(0), "mu of mu/2 |y|^2 in the lower level");
  visitor("batch", batch, at_least(0), "samples per client and call; 0 = all");
  visit_precision(visitor, precision);
  partition.visit(visitor);
}

HyperRepresentation::HyperRepresentation(AgentSet agents, HyperRepresentationOptions options,
                                         const DataSource& source, std::uint64_t seed,
                                         bool wants_double)
    : BilevelProblem(std::move(agents)),
      options_(std::move(options)),
      seed_(seed),
      double_(uses_double(options_.precision, wants_double)) {
  shape_.widths = parse_widths("problem.hidden", options_.hidden);
  shape_.activation = activation_of(options_.activation);
  const auto labels =
      detail::image_labels(source, options_.images, options_.labels, static_cast<int>(classes));
  check(options_, static_cast<std::int64_t>(labels.size()));
  load(source, labels);
}

HyperRepresentation::Lists HyperRepresentation::split(const SampleList& own, AgentId agent) const {
  constexpr std::uint64_t of_clients = 1;  // the stream; 0 draws the samples that take part
  const SampleList order = Draws(seed_, Purpose::split, agent, 0, of_clients)
                               .permutation(static_cast<std::int64_t>(own.size()));
  const auto count = static_cast<double>(own.size());
  const auto test = static_cast<std::size_t>(options_.test_fraction * count);
  const auto validation = static_cast<std::size_t>(options_.validation_fraction * count);
  Lists lists;
  for (std::size_t k = 0; k < own.size(); ++k) {
    SampleList& list = k < test                ? lists.test
                       : k < test + validation ? lists.validation
                                               : lists.train;
    list.push_back(own[static_cast<std::size_t>(order[k])]);
  }
  return lists;
}

void HyperRepresentation::load(const DataSource& source, const std::vector<std::uint8_t>& labels) {
  const auto count = static_cast<std::int64_t>(labels.size());
  const std::array<std::int64_t, 1> size{options_.samples == 0 ? count : options_.samples};
  const SampleList used = split_samples(count, size, seed_).front();
  Partition partition = deal_chosen(used, labels_of(labels, used), count, agents().total,
                                    options_.partition, source, seed_);
  report_ = std::move(partition.report);

  std::vector<Lists> lists;
  detail::ImageLoader images(options_.images, labels);
  for (const AgentId agent : agents().local) {
    const SampleList own = pick(used, partition.samples[static_cast<std::size_t>(agent)]);
    const Lists& last = lists.emplace_back(split(own, agent));
    for (const SampleList* list : {&last.train, &last.validation, &last.test}) images.want(*list);
  }
  images.load(source);
  shape_.widths.insert(shape_.widths.begin(), images.features());
  shape_.widths.push_back(classes);
  for (const Lists& own : lists) {
    Client& client = clients_.emplace_back();
    client.train = images.take(own.train);
    client.validation = images.take(own.validation);
    client.test = images.take(own.test);
  }
}

std::int64_t HyperRepresentation::data_bytes() const {
  std::int64_t bytes = 0;
  for (const Client& client : clients_) {
    bytes += client.train.bytes() + client.validation.bytes() + client.test.bytes();
  }
  return bytes;
}

VectorXd HyperRepresentation::start_x() const {
  return random_layers(shape_, 1, shape_.layers() - 1, Draws(seed_, Purpose::start));
}

const LabelledRows& HyperRepresentation::part(Level level, int local) const {
  const Client& client = clients_[static_cast<std::size_t>(local)];
  return level == Level::upper ? client.validation : client.train;
}

SampleDraw HyperRepresentation::draw(Level level, int local, const Sample& sample) const {
  return draw_samples(level, agents().local[static_cast<std::size_t>(local)], sample,
                      part(level, local).samples.rows(), options_.batch, seed_);
}

double HyperRepresentation::scale(Level level, int local, const SampleDraw& drawn) const {
  const Index count = part(level, local).samples.rows();
  return count == 0 ? 0 : drawn.scale / static_cast<double>(count);
}

double HyperRepresentation::value(Level level, int local, const Sample& sample,
                                  const ConstVector& x, const ConstVector& y) const {
  const SampleDraw drawn = draw(level, local, sample);
  const DenseBatch batch = part(level, local).batch(drawn.selection());
  std::vector<double> losses(static_cast<std::size_t>(batch.count()));
  const MlpPoint point{.features = x.data(), .last = y.data(), .losses = losses.data()};
  mlp_evaluate<double>(batch, shape_, std::span(&point, 1));
  const double mean = scale(level, local, drawn) * sum_of(losses);
  return level == Level::upper ? mean : mean + options_.regularization / 2 * y.dot(y);
}

void HyperRepresentation::gradient(Level level, int local, const Sample& sample,
                                   std::span<const AgentPoint> points) const {
  const SampleDraw drawn = draw(level, local, sample);
  std::vector<MlpPoint> wanted;
  for (const AgentPoint& point : points) {
    wanted.push_back({.features = point.x.data(),
                      .last = point.y.data(),
                      .scale = scale(level, local, drawn),
                      .feature_gradient = Vector(point.gx).data(),
                      .last_gradient = Vector(point.gy).data()});
  }
  evaluate(double_ || sample.full, part(level, local).batch(drawn.selection()), shape_, wanted);
  if (level == Level::upper) return;
  for (const AgentPoint& point : points) {
    if (point.wants_gy()) Vector(point.gy) += options_.regularization * point.y;
  }
}

void HyperRepresentation::product(int local, const Sample& sample,
                                  const AgentProduct& product) const {
  const SampleDraw drawn = draw(Level::lower, local, sample);
  Vector hv = product.hv;
  Vector jv = product.jv;
  mlp_product<double>(part(Level::lower, local).batch(drawn.selection()), shape_,
                      {.features = product.x.data(),
                       .last = product.y.data(),
                       .last_direction = product.v.data(),
                       .scale = scale(Level::lower, local, drawn),
                       .feature_product = jv.data(),
                       .last_product = hv.data()});
  if (product.wants_hv()) hv += options_.regularization * product.v;
}

std::vector<std::string> HyperRepresentation::metric_names() const {
  return {"test_accuracy", "validation_loss"};
}

Index HyperRepresentation::metric_sums() const {
  return sum_count;
}

void HyperRepresentation::add_metric_sums(int local, const ConstVector& x, const ConstVector& y,
                                          Eigen::Ref<VectorXd> sums) const {
  const Client& client = clients_[static_cast<std::size_t>(local)];
  std::vector<std::uint8_t> guesses(client.test.labels.size());
  const MlpPoint test{.features = x.data(), .last = y.data(), .predictions = guesses.data()};
  mlp_evaluate<double>(client.test.batch(), shape_, std::span(&test, 1));
  for (std::size_t j = 0; j < guesses.size(); ++j) {
    sums(correct) += guesses[j] == client.test.labels[j] ? 1 : 0;
  }
  sums(tested) += static_cast<double>(guesses.size());
  std::vector<double> losses(client.validation.labels.size());
  const MlpPoint validation{.features = x.data(), .last = y.data(), .losses = losses.data()};
  mlp_evaluate<double>(client.validation.batch(), shape_, std::span(&validation, 1));
  sums(loss) += sum_of(losses);
  sums(validated) += static_cast<double>(losses.size());
}

std::vector<double> HyperRepresentation::finish_metrics(const VectorXd& sums) const {
  const double none = std::numeric_limits<double>::quiet_NaN();
  return {sums(tested) > 0 ? sums(correct) / sums(tested) : none,
          sums(validated) > 0 ? sums(loss) / sums(validated) : none};
}

namespace detail {

std::vector<ProblemEntry> hyper_representation_parts() {
  return {problem_part<HyperRepresentation, HyperRepresentationOptions>(
      {.name = "hyper-representation",
       .summary = "features of a network that clients with different labels share (IDX files)",
       .formula =
           "g_i = 1/N_i,tr sum_j CE_j(x, y) + mu/2 |y|^2;  f_i = 1/N_i,val sum_j CE_j(x, y);  x "
           "feature layers, y last layer",
       .reference = "L. Franceschi, P. Frasconi, S. Salzo, R. Grazzi, M. Pontil, ICML 2018, "
                    "arXiv:1806.04910"})};
}

}  // namespace detail

}  // namespace echelon
