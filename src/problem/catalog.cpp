#include "echelon/problem/catalog.hpp"

#include "echelon/problem/analytic.hpp"
#include "echelon/problem/hyper_cleaning.hpp"
#include "echelon/problem/quadratic.hpp"
#include "echelon/problem/regularization_selection.hpp"

namespace echelon {

namespace {

/// An entry whose problem needs no data: constructor (agents, options, seed).
template <class Problem, class Options>
ProblemEntry closed_form(std::string name, std::string summary, std::string formula,
                         std::string reference) {
  return {std::move(name),
          std::move(summary),
          std::move(formula),
          std::move(reference),
          [] { return describe_options(Options{}); },
          [](const ProblemContext& context, Configuration& configuration) {
            Options options;
            configuration.read("problem", options);
            return std::make_unique<Problem>(context.agents, options, context.seed);
          }};
}

/// An entry whose problem reads data: constructor (agents, options, source, seed, wants_double).
template <class Problem, class Options>
ProblemEntry data_driven(std::string name, std::string summary, std::string formula,
                         std::string reference) {
  return {std::move(name),
          std::move(summary),
          std::move(formula),
          std::move(reference),
          [] { return describe_options(Options{}); },
          [](const ProblemContext& context, Configuration& configuration) {
            Options options;
            configuration.read("problem", options);
            return std::make_unique<Problem>(context.agents, options, context.data, context.seed,
                                             context.wants_double);
          }};
}

/// One line for each instance, indented as `describe` shows formulas.
std::string analytic_formulas() {
  std::string all = "by problem.instance:";
  for (const AnalyticEntry& entry : analytic_catalog()) {
    all += "\n  " + entry.name + ": " + entry.summary + "\n      " + entry.formula;
  }
  return all;
}

}  // namespace

const std::vector<ProblemEntry>& problem_catalog() {
  static const std::vector<ProblemEntry> entries = {
      closed_form<Quadratic, QuadraticOptions>(
          "quadratic",
          "random quadratics with a closed-form solution, heterogeneous by a parameter",
          "g_i = 1/2 y'A_i y + x'C_i y + a_i'y;  f_i = 1/2 |y - t_i|^2 + 1/4 |x - s_i|^2", ""),
      closed_form<Quadratic, PqOptions>(
          "p-q", "one quadratic with x* = A (A + I)^-1 1, for checking methods",
          "g = 1/2 y'A y - x'y;  f = 1/2 |x - 1|^2 + 1/2 y'A y;  A = diag(linspace(.5, 2, d))", ""),
      closed_form<Analytic, AnalyticOptions>(
          "analytic", "small problems with known answers, in the plane most of them",
          analytic_formulas(), ""),
      data_driven<HyperCleaning, HyperCleaningOptions>(
          "hyper-cleaning",
          "weights of training samples with wrong labels, from a small clean set (IDX files)",
          "g_i = n/N_tr sum_j sigma(x_j) CE_j(y) + reg |y|^2;  f_i = n/N_val sum_j CE_j(y)",
          "L. Franceschi, M. Donini, P. Frasconi, M. Pontil, ICML 2017, arXiv:1703.01785"),
      data_driven<RegularizationSelection, RegularizationSelectionOptions>(
          "regularization",
          "per-coordinate l2 regularization of logistic regression (LIBSVM files)",
          "g_i = n/N_tr sum_j CE(a_j'y) + 1/(2d) sum_k e^{x_k} y_k^2;  f_i = n/N_val sum_j "
          "CE(a_j'y)",
          "F. Pedregosa, ICML 2016, arXiv:1602.02355"),
  };
  return entries;
}

}  // namespace echelon
