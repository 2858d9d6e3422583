// Uses a function of the library, without a copy of it.
#include <echelon/core/options.hpp>

extern "C" const char* half() {
  static const std::string text = echelon::number_text(0.5);
  return text.c_str();
}
