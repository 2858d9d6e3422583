#include <echelon/main.hpp>

#include "parts.hpp"

int main(int argc, char** argv) {
  return echelon::main(argc, argv, outside::add_parts);
}
