#include "echelon/experiment/cost.hpp"

#include <Eigen/LU>
#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "trial.hpp"

namespace echelon {

namespace {

using Kind = RoundNote::Kind;

/// What is counted in a trial, per iteration.
struct Counts {
  double gradients, products, values, to_neighbors, averaged;
};

constexpr Index line = 8;  // numbers in a cache line

Counts counts_of(const detail::TrialCount& trial) {
  double to_neighbors = 0;
  double averaged = 0;
  for (const RoundNote& round : trial.rounds) {
    const double numbers = static_cast<double>(round.bytes) / sizeof(double);
    if (round.kind == Kind::neighbors || round.kind == Kind::message) to_neighbors += numbers;
    if (round.kind == Kind::server || round.kind == Kind::plain_mean) averaged += numbers;
  }
  const double n = trial.iterations;
  return {trial.gradients / n, trial.products / n, trial.values / n, to_neighbors / n,
          averaged / n};
}

/// Removes what rounding left of the fit: what is counted in `iterations` is a whole number.
double snapped(double value, double iterations) {
  const double whole = std::round(value * iterations) / iterations;
  return std::abs(value - whole) < 1e-7 * (1 + std::abs(value)) ? whole : value;
}

constexpr int unknowns = 5;
using Shapes = std::array<std::pair<Index, Index>, unknowns>;

Growth fitted(const Shapes& shapes, const std::array<double, unknowns>& counts, double iterations) {
  Eigen::Matrix<double, unknowns, unknowns> terms;
  Eigen::Matrix<double, unknowns, 1> values;
  for (int k = 0; k < unknowns; ++k) {
    const auto p = static_cast<double>(shapes[static_cast<std::size_t>(k)].first);
    const auto q = static_cast<double>(shapes[static_cast<std::size_t>(k)].second);
    terms.row(k) << 1, p, q, p * q, q * q;
    values(k) = counts[static_cast<std::size_t>(k)];
  }
  const Eigen::Matrix<double, unknowns, 1> solved = terms.fullPivLu().solve(values);
  const auto share = [&](int k) { return snapped(solved(k), iterations); };
  return {share(0), share(1), share(2), share(3), share(4)};
}

void append(std::string& text, double share, const char* length) {
  if (share == 0) return;
  if (!text.empty()) text += " + ";
  text += number_text(share);
  if (*length != 0) text += std::string(" ") + length;
}

/// Moves the messages that a compressor made out of the trial's rounds; what is left of messages
/// carries whole vectors.
std::vector<CompressedMessages> take_compressed(const GeneralOptions& general,
                                                detail::TrialCount& trial, Index p, Index q) {
  std::vector<CompressedMessages> all;
  for (const Role role : trial.roles) {
    const auto compressor = general.consensus.traits(role).compressor;
    if (compressor) all.push_back({*compressor, role == Role::upper, 0});
  }
  std::erase_if(trial.rounds, [&](const RoundNote& round) {
    if (round.kind != Kind::message) return false;
    const auto sent = std::find_if(all.begin(), all.end(), [&](const auto& messages) {
      const Index dimension = messages.upper ? p : q;
      const auto bytes = make_compressor(messages.compressor, dimension)->bytes(dimension);
      return static_cast<std::int64_t>(bytes) == round.bytes;
    });
    if (sent == all.end()) return false;
    sent->messages += 1 / trial.iterations;
    return true;
  });
  std::erase_if(all, [](const auto& messages) { return messages.messages == 0; });
  return all;
}

}  // namespace

double Growth::operator()(Index rows, Index columns) const {
  const auto p = static_cast<double>(rows);
  const auto q = static_cast<double>(columns);
  return constant + p_share * p + q_share * q + pq_share * p * q + qq_share * q * q;
}

std::string Growth::text() const {
  std::string text;
  append(text, p_share, "p");
  append(text, q_share, "q");
  append(text, constant, "");
  append(text, pq_share, "p q");
  append(text, qq_share, "q q");
  return text.empty() ? "0" : text;
}

Varies varies(const GeneralOptions& general) {
  if (general.participation.is_asynchronous()) return Varies::at_most;
  const Varies method = general.method->varies(general.method.options());
  return method == Varies::exact ? general.estimator->traits(general.estimator.options()).calls
                                 : method;
}

CompositionCost cost_of(const GeneralOptions& general, Index p, Index q) {
  const Index a = 2 * line + p % line;
  const Index b = 3 * line + q % line;
  const Shapes shapes{std::pair{a, b}, std::pair{a + 2 * line, b}, std::pair{a, b + 2 * line},
                      std::pair{a + 2 * line, b + 2 * line}, std::pair{a, b + 4 * line}};
  std::array<Counts, unknowns> counts;
  double iterations = 1;
  CompositionCost cost;
  for (std::size_t k = 0; k < unknowns; ++k) {
    const auto [rows, columns] = shapes[k];
    detail::TrialCount trial = detail::run_trial(general, rows, columns);
    std::vector<CompressedMessages> compressed = take_compressed(general, trial, rows, columns);
    counts[k] = counts_of(trial);
    iterations = trial.iterations;
    if (k != 0) continue;
    cost.compressed = std::move(compressed);
    cost.roles = trial.roles;
    for (const RoundNote& round : trial.rounds) {
      cost.takes_plain_means = cost.takes_plain_means || round.kind == Kind::plain_mean;
    }
  }
  const auto fit = [&](double Counts::*part) {
    std::array<double, unknowns> values;
    for (std::size_t k = 0; k < unknowns; ++k) values[k] = counts[k].*part;
    return fitted(shapes, values, iterations);
  };
  cost.gradients = fit(&Counts::gradients);
  cost.products = fit(&Counts::products);
  cost.values = fit(&Counts::values);
  cost.to_neighbors = fit(&Counts::to_neighbors);
  cost.averaged = fit(&Counts::averaged);
  cost.varies = varies(general);
  return cost;
}

std::string CompositionCost::traffic_text() const {
  std::string neighbors = to_neighbors.is_zero() ? "" : to_neighbors.text();
  for (const CompressedMessages& messages : compressed) {
    neighbors += text(neighbors.empty() ? "" : " + ", number_text(messages.messages), " ",
                      messages.compressor->name, messages.upper ? "(p)" : "(q)");
  }
  if (neighbors.empty() && averaged.is_zero()) return "nothing";
  std::string all;
  if (!neighbors.empty()) all += neighbors + " to each neighbor";
  if (!averaged.is_zero())
    all += (all.empty() ? "" : ", ") + averaged.text() + " averaged over all";
  return all;
}

double CompositionCost::bytes(bool reduced, Index p, Index q) const {
  if (reduced) return averaged(p, q) * sizeof(double);
  double total = to_neighbors(p, q) * sizeof(double);
  for (const CompressedMessages& messages : compressed) {
    const Index dimension = messages.upper ? p : q;
    total += messages.messages *
             static_cast<double>(make_compressor(messages.compressor, dimension)->bytes(dimension));
  }
  return total;
}

}  // namespace echelon
