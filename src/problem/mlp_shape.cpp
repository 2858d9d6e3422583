#include <algorithm>
#include <charconv>
#include <cmath>

#include "echelon/core/error.hpp"
#include "echelon/problem/mlp_kernel.hpp"

namespace echelon {

const std::vector<std::string>& activation_names() {
  static const std::vector<std::string> names{"sigmoid", "tanh", "relu"};
  return names;
}

Activation activation_of(const std::string& name) {
  const auto& names = activation_names();
  const auto found = std::find(names.begin(), names.end(), name);
  require(found != names.end(), ErrorKind::usage, "problem.activation: there is none called `",
          name, "`; choose sigmoid, tanh or relu");
  return static_cast<Activation>(found - names.begin());
}

std::vector<Index> parse_widths(const std::string& option, const std::string& text) {
  constexpr Index widest = 100000;
  std::vector<Index> widths;
  const char* at = text.data();
  const char* const end = at + text.size();
  bool good = true;
  while (good) {
    Index width = 0;
    const auto [rest, code] = std::from_chars(at, end, width);
    good = code == std::errc{} && width >= 1 && width <= widest;
    widths.push_back(width);
    if (rest == end) break;
    good = good && *rest == '-';
    at = rest + 1;
  }
  require(good, ErrorKind::usage, option, ": `", text,
          "` is no list of widths (whole numbers from 1 to ", widest,
          " joined by `-`); write such as 200-64");
  return widths;
}

Index MlpShape::layer_size(Index l) const {
  const auto layer = static_cast<std::size_t>(l);
  return (widths[layer - 1] + 1) * widths[layer];
}

Index MlpShape::feature_size() const {
  Index size = 0;
  for (Index l = 1; l < layers(); ++l) size += layer_size(l);
  return size;
}

VectorXd random_layers(const MlpShape& shape, Index first, Index last, Draws draws) {
  Index size = 0;
  for (Index l = first; l <= last; ++l) size += shape.layer_size(l);
  VectorXd result = VectorXd::Zero(size);
  double* unit = result.data();
  for (Index l = first; l <= last; ++l) {
    const Index inputs = shape.widths[static_cast<std::size_t>(l - 1)];
    const Index outputs = shape.widths[static_cast<std::size_t>(l)];
    const double bound = std::sqrt(6 / static_cast<double>(inputs + outputs));
    for (Index c = 0; c < outputs; ++c, unit += inputs + 1) {
      for (Index d = 0; d < inputs; ++d) unit[d] = bound * (2 * draws.uniform() - 1);
    }
  }
  return result;
}

}  // namespace echelon
