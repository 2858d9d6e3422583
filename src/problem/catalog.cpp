#include "echelon/problem/catalog.hpp"
#include "echelon/problem/client_softmax.hpp"

#include "echelon/problem/analytic.hpp"
#include "echelon/problem/demodulation.hpp"
#include "echelon/problem/finite_sum.hpp"
#include "echelon/problem/hyper_cleaning.hpp"
#include "echelon/problem/hyper_representation.hpp"
#include "echelon/problem/log_cosh.hpp"
#include "echelon/problem/quadratic.hpp"
#include "echelon/problem/regularization_selection.hpp"
#include "echelon/problem/ridge.hpp"
#include "echelon/problem/sparse_regression.hpp"

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

/// An entry whose problem makes its own data: constructor (agents, options, seed, wants_double).
template <class Problem, class Options>
ProblemEntry simulated(std::string name, std::string summary, std::string formula,
                       std::string reference) {
  return {std::move(name),
          std::move(summary),
          std::move(formula),
          std::move(reference),
          [] { return describe_options(Options{}); },
          [](const ProblemContext& context, Configuration& configuration) {
            Options options;
            configuration.read("problem", options);
            return std::make_unique<Problem>(context.agents, options, context.seed,
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
      closed_form<FiniteSum, FiniteSumOptions>(
          "finite-sum", "finite sums of quadratics with a closed-form solution, for minibatches",
          "g_i = n/N sum_j 1/2 y'A_j y + 1/2 x'B_j x + x'C_j y + a_j'y + b_j'x;  "
          "f_i = n/M sum_j 1/2 y'F_j y + 1/2 x'H_j x + x'K_j y + f_j'y + h_j'x",
          "M. Dagreou, P. Ablin, S. Vaiter, T. Moreau, NeurIPS 2022, arXiv:2201.13409"),
      closed_form<LogCosh, LogCoshOptions>(
          "log-cosh", "fixed heterogeneous agents, quadratics with a log-cosh term",
          "g_i = 1/2 y'A_i y + x'C_i y + a_i'y + .3 sum_j log cosh y_j;  "
          "f_i = 1/2 |y - t_i|^2 + .15 |x - s_i|^2;  p = 4, q = 6",
          ""),
      closed_form<Ridge, RidgeOptions>(
          "ridge", "hyper-parameters of ridge regression with an exact hypergradient",
          "g_i = n/N 1/2 sum_b w_b (a_b'y - t_b)^2 + 1/2 sum_j r_j y_j^2;  "
          "f_i = n/M 1/2 sum_b (a_b'y - t_b)^2;  r_j = e^{x_j} or w_b = sigma(x_b)",
          ""),
      closed_form<SparseRegression, SparseRegressionOptions>(
          "sparse-regression",
          "weights of penalties that press coefficients to zero: nonsmooth lower levels",
          "g_i = n/N 1/2 sum_b (a_b'y - t_b)^2 + sum_k r(e^{x_k}, y_k);  "
          "f_i = n/M 1/2 sum_b (a_b'y - t_b)^2;  r(w, y) = w |y|_1, w |y|_2, SCAD or MCP",
          ""),
      data_driven<HyperCleaning, HyperCleaningOptions>(
          "hyper-cleaning",
          "weights of training samples with wrong labels, from a small clean set (IDX files)",
          "g_i = n/N_tr sum_j sigma(x_j) CE_j(y) + reg |y|^2;  f_i = n/N_val sum_j CE_j(y)",
          "L. Franceschi, M. Donini, P. Frasconi, M. Pontil, ICML 2017, arXiv:1703.01785"),
      data_driven<ClientSoftmax, ClientSoftmaxOptions>(
          "client-softmax",
          "softmax regression of any number of clients over one pool of images, l2 coefficients "
          "per "
          "class (IDX files)",
          "g_i = 1/n_i sum_j CE_j(y) + 1/2 sum_c e^{x_c} |y_c|^2;  f_i = 1/m_i sum_j CE_j(y)",
          "F. Pedregosa, ICML 2016, arXiv:1602.02355"),
      data_driven<RegularizationSelection, RegularizationSelectionOptions>(
          "regularization",
          "per-coordinate l2 regularization of logistic regression (LIBSVM files)",
          "g_i = n/N_tr sum_j CE(a_j'y) + 1/(2d) sum_k e^{x_k} y_k^2;  f_i = n/N_val sum_j "
          "CE(a_j'y)",
          "F. Pedregosa, ICML 2016, arXiv:1602.02355"),
      data_driven<HyperRepresentation, HyperRepresentationOptions>(
          "hyper-representation",
          "features of a network that clients with different labels share (IDX files)",
          "g_i = 1/N_i,tr sum_j CE_j(x, y) + mu/2 |y|^2;  f_i = 1/N_i,val sum_j CE_j(x, y);  x "
          "feature layers, y last layer",
          "L. Franceschi, P. Frasconi, S. Salzo, R. Grazzi, M. Pontil, ICML 2018, "
          "arXiv:1806.04910"),
      simulated<Demodulation, DemodulationOptions>(
          "demodulation",
          "where the demodulators of radio devices should start to learn from few pilots (16-QAM)",
          "g_i = n/D sum_d CE(y; pilots of d) + mu/2 |y - x|^2;  f_i = n/D sum_d CE(y; payload of "
          "d)",
          "S. Park, H. Jang, O. Simeone, J. Kang, IEEE Trans. Signal Processing 69, 2021, "
          "arXiv:1908.09049"),
  };
  return entries;
}

}  // namespace echelon
