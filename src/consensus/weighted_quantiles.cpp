#include <algorithm>
#include <cmath>
#include <limits>

#include "echelon/consensus/aggregation.hpp"

namespace echelon {

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
/// Of what weights add up to.
constexpr double rounding = 1e-9;

struct Weighted {
  double number;
  double weight;
};

/// What is left of the numbers, ascending; equal ones in the order of agents.
std::vector<Weighted> sorted(std::span<const double> numbers, const std::vector<double>& weights,
                             double& total) {
  std::vector<Weighted> kept;
  total = 0;
  for (std::size_t a = 0; a < numbers.size(); ++a) {
    if (std::isnan(numbers[a]) || weights[a] <= 0) continue;
    kept.push_back({numbers[a], weights[a]});
    total += weights[a];
  }
  std::stable_sort(kept.begin(), kept.end(),
                   [](const Weighted& a, const Weighted& b) { return a.number < b.number; });
  return kept;
}

/// The same where all count alike.
std::span<double> sorted(std::span<double> numbers) {
  const auto end = std::remove_if(numbers.begin(), numbers.end(),
                                  [](double number) { return std::isnan(number); });
  std::sort(numbers.begin(), end);
  return {numbers.begin(), end};
}

}  // namespace

double weighted_median(std::span<double> numbers, const std::vector<double>& weights) {
  if (weights.empty()) {
    const auto kept = sorted(numbers);
    if (kept.empty()) return not_a_number;
    const std::size_t middle = kept.size() / 2;
    return kept.size() % 2 == 1 ? kept[middle] : (kept[middle - 1] + kept[middle]) / 2;
  }
  double total = 0;
  const std::vector<Weighted> kept = sorted(numbers, weights, total);
  double below = 0;
  for (std::size_t k = 0; k < kept.size(); ++k) {
    below += kept[k].weight;
    if (below < total * (0.5 - rounding)) continue;
    if (below > total * (0.5 + rounding) || k + 1 == kept.size()) return kept[k].number;
    return (kept[k].number + kept[k + 1].number) / 2;
  }
  return not_a_number;
}

double weighted_trimmed_mean(std::span<double> numbers, const std::vector<double>& weights,
                             double fraction) {
  if (weights.empty()) {
    const auto kept = sorted(numbers);
    if (kept.empty()) return not_a_number;
    const double cut = fraction * static_cast<double>(kept.size());
    const auto whole = std::min(static_cast<std::size_t>(cut + rounding), (kept.size() - 1) / 2);
    const std::size_t last = kept.size() - 1 - whole;
    if (last == whole) return kept[whole];
    const double of_ends = std::min(1.0, 1 - (cut - static_cast<double>(whole)));
    double sum = of_ends * kept[whole];
    for (std::size_t k = whole + 1; k < last; ++k) sum += kept[k];
    sum += of_ends * kept[last];
    return sum / (static_cast<double>(last - whole - 1) + 2 * of_ends);
  }
  double total = 0;
  const std::vector<Weighted> kept = sorted(numbers, weights, total);
  double below = 0, sum = 0, weight = 0;
  for (const auto& [number, own] : kept) {
    const double from = std::max(below, fraction * total);
    below += own;
    const double length = std::min(below, (1 - fraction) * total) - from;
    if (length <= 0) continue;
    sum += length * number;
    weight += length;
  }
  return weight > 0 ? sum / weight : not_a_number;
}

}  // namespace echelon
