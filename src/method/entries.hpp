#pragma once
/// What entries of the catalog have in common.

#include "echelon/method/method.hpp"

namespace echelon::detail {

/// Options, construction and cost of a method type whose constructor takes (context, options);
/// `Options` has visit(OptionVisitor&) and cost().
template <class MethodType, class Options>
void bind(MethodEntry& entry, const Options& defaults) {
  entry.options = defaults;
  entry.make = [](const MethodContext& context, const PartOptions& options) {
    return std::make_unique<MethodType>(context, options.as<Options>());
  };
  entry.varies = [](const PartOptions& options) { return options.as<Options>().cost().count; };
}

}  // namespace echelon::detail
