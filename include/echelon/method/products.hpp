#pragma once
/// Second-order products as methods take them: by differences of gradients, or exact.

#include <string>

#include "echelon/core/options.hpp"
#include "echelon/method/method.hpp"
#include "echelon/problem/problem.hpp"

namespace echelon {

/// Options `products`, `difference`, `difference_rule` and `difference_step`.
struct ProductOptions {
  std::string products = "difference";
  std::string difference_form = "central";
  std::string difference_rule = "relative";
  double difference_step = 6e-6;

  void visit(OptionVisitor& visitor) {
    visitor.choice("products", products, {"difference", "exact"},
                   "second-order products: differences of gradients, or the problem's own");
    visitor.choice("difference", difference_form, {"central", "forward"},
                   "at y + d v and y - d v, or at y + d v and y: less exact, and a call cheaper "
                   "where the gradient at y is needed anyway");
    visitor.choice("difference_rule", difference_rule, {"relative", "capped", "absolute"},
                   "width d of the differences: step (1+|y|)/|v|, step / max(1,|v|), or step");
    visitor("difference_step", difference_step, above(0), "the step in difference_rule");
  }

  bool exact() const { return products == "exact"; }
  bool forward() const { return !exact() && difference_form == "forward"; }
  DifferenceStep difference() const {
    using Rule = DifferenceStep::Rule;
    const Rule rule = difference_rule == "relative" ? Rule::relative
                      : difference_rule == "capped" ? Rule::capped
                                                    : Rule::absolute;
    return {rule, difference_step, forward()};
  }
};

/// H v and J'v of g at (x, y), as the options say.
class Products {
 public:
  /// Throws a usage error if exact products are wanted and the problem has none.
  Products(BilevelProblem& problem, const ProductOptions& options)
      : problem_(problem), options_(options) {
    require(!options.exact() || problem.has_exact_products(), ErrorKind::usage,
            "method.products = exact: this problem offers no exact products; use `difference`");
  }
  /// True if products are forward differences, which start from gradients at hand.
  bool forward() const { return options_.forward(); }
  void operator()(const Sample& sample, const ProductPoint& point) const {
    if (options_.exact()) {
      problem_.exact_product(sample, point);
    } else {
      problem_.difference_product(sample, point, options_.difference());
    }
  }

 private:
  BilevelProblem& problem_;
  ProductOptions options_;
};

}  // namespace echelon
