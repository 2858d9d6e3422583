// Loads the plug-in that it is given; uses nothing of the library itself but its version.
#include <dlfcn.h>

#include <echelon/core/version.h>
#include <cstdio>
#include <cstring>

int main(int argc, char** argv) {
  void* const plugin = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : nullptr;
  if (plugin == nullptr) {
    std::fprintf(stderr, "%s: %s\n", echelon::version(), dlerror());
    return 1;
  }
  const auto half = reinterpret_cast<const char* (*)()>(dlsym(plugin, "half"));
  return half != nullptr && std::strcmp(half(), "0.5") == 0 ? 0 : 1;
}
