#include "echelon/method/method.hpp"

namespace echelon {

namespace detail {
std::vector<MethodEntry> built_in_methods();
}

PartList<MethodEntry>& method_catalog() {
  static PartList<MethodEntry> methods("method", detail::built_in_methods());
  return methods;
}

}  // namespace echelon
