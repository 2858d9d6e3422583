#pragma once
/// The entries of the catalog of instances, by the file they live in, and what these files share.

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "echelon/problem/analytic.hpp"

namespace echelon::detail {

std::vector<AnalyticEntry> closed_form_entries();
std::vector<AnalyticEntry> box_entries();
std::vector<AnalyticEntry> constrained_entries();
std::vector<AnalyticEntry> set_entries();

inline AnalyticEntry fixed_entry(std::string name, std::string summary, std::string formula,
                                 std::function<AnalyticInstance()> make) {
  return {std::move(name), std::move(summary), std::move(formula), 0,
          [make = std::move(make)](Index) { return make(); }};
}

inline FeasibleSet uniform_box(Index dimension, double low, double high) {
  return FeasibleSet::box(VectorXd::Constant(dimension, low), VectorXd::Constant(dimension, high));
}

inline VectorXd number(double value) {
  return VectorXd::Constant(1, value);
}

/// f, g and their derivatives for p = q = 1.
struct ScalarFunctions {
  using Function = double (*)(double x, double y);
  Function f, fx, fy, g, gx, gy, gyy, gxy;
};

AnalyticInstance scalar_instance(const ScalarFunctions& functions);

}  // namespace echelon::detail
