#include "echelon/core/error.hpp"

namespace echelon::detail {

void assertion_failed(const char* expression, const std::source_location& where) {
  fail(ErrorKind::internal, where.file_name(), ":", where.line(), ": `", expression,
       "` does not hold (a mistake inside Echelon; please report it with the command you ran)");
}

}  // namespace echelon::detail
