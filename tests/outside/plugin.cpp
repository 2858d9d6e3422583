#include <echelon/plugin.hpp>

#include "parts.hpp"

ECHELON_PLUGIN() {
  outside::add_parts();
}
