#include "echelon/core/error.hpp"

namespace echelon::detail {

void assertion_failed(const char* expression, const char* file, int line) {
  fail(ErrorKind::internal, file, ":", line, ": `", expression,
       "` does not hold (a mistake inside Echelon; please report it with the command you ran)");
}

}  // namespace echelon::detail
