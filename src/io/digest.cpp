#include "digest.hpp"

#include <algorithm>
#include <new>
#include <vector>

#include "durable_file.hpp"

namespace echelon::detail {

Digest::Digest() : state_(XXH3_createState()) {
  if (!state_) throw std::bad_alloc();
  XXH3_128bits_reset(state_.get());
}

void Digest::add(const void* bytes, std::size_t count) {
  if (count > 0) XXH3_128bits_update(state_.get(), bytes, count);
}

std::string Digest::text() const {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state_.get()));
  constexpr const char* digits = "0123456789abcdef";
  std::string hex;
  for (const unsigned char byte : canonical.digest) {
    hex += digits[byte >> 4];
    hex += digits[byte & 15];
  }
  return hex;
}

std::string digest_of(std::string_view bytes) {
  Digest digest;
  digest.add(bytes.data(), bytes.size());
  return digest.text();
}

FileDigest digest_file(const std::filesystem::path& path, std::size_t beginning) {
  const FileDescriptor file = FileDescriptor::for_reading(path);
  FileDigest result;
  Digest whole;
  Digest rest;
  std::vector<char> block(std::size_t{1} << 20);
  while (const std::size_t count = file.read(block.data(), block.size())) {
    const std::size_t head = std::min(count, beginning - result.beginning.size());
    result.beginning.append(block.data(), head);
    whole.add(block.data(), count);
    rest.add(block.data() + head, count - head);
    result.bytes += count;
  }
  result.whole = whole.text();
  result.after_beginning = rest.text();
  return result;
}

}  // namespace echelon::detail
