#include "echelon/core/version.h"

namespace echelon {

const char* version() noexcept {
  return ECHELON_VERSION_STRING;
}

}  // namespace echelon
