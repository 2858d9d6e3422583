#pragma once
/// XXH3 with 128 bits (Y. Collet, xxHash): detects damage, not malice. Printed as `xxh128sum`
/// prints it.

#include <xxhash.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace echelon::detail {

class Digest {
 public:
  Digest();
  void add(const void* bytes, std::size_t count);
  std::string text() const;  ///< 32 hexadecimal digits

 private:
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  std::unique_ptr<XXH3_state_t, Free> state_;
};

std::string digest_of(std::string_view bytes);

struct FileDigest {
  std::uint64_t bytes = 0;
  std::string whole;            ///< of all bytes
  std::string after_beginning;  ///< of the bytes from `beginning` on
  std::string beginning;        ///< the first bytes themselves
};

/// Reads a file once. Throws missing_input or input_output.
FileDigest digest_file(const std::filesystem::path& path, std::size_t beginning = 0);

}  // namespace echelon::detail
