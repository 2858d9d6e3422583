#include <echelon/main.hpp>

int main(int argc, char** argv) {
  return echelon::main(argc, argv);
}
