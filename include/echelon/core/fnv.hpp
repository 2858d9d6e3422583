#pragma once
/// FNV-1a: short digests of names and numbers, the same on all machines. Not for secrets. Source:
/// G. Fowler, L. C. Noll, K.-P. Vo, D. Eastlake, "The FNV Non-Cryptographic Hash Algorithm", IETF
/// draft, 2019.

#include <cstdint>
#include <string_view>
#include <type_traits>

namespace echelon {

/// `Word` is std::uint32_t or std::uint64_t.
template <class Word = std::uint64_t>
class Fnv {
 public:
  void add(unsigned char byte) { value_ = (value_ ^ byte) * prime; }
  void add(std::string_view letters) {
    for (const char letter : letters) add(static_cast<unsigned char>(letter));
  }
  /// The eight bytes of a number, the lowest first.
  void add_number(std::uint64_t number) {
    for (int byte = 0; byte < 8; ++byte, number >>= 8) {
      add(static_cast<unsigned char>(number & 0xff));
    }
  }
  Word value() const { return value_; }

 private:
  static constexpr bool is_long = std::is_same_v<Word, std::uint64_t>;
  static_assert(is_long || std::is_same_v<Word, std::uint32_t>);
  static constexpr Word prime = static_cast<Word>(is_long ? 0x100000001b3 : 0x01000193);
  Word value_ = static_cast<Word>(is_long ? 0xcbf29ce484222325 : 0x811c9dc5);
};

/// Of one text.
template <class Word = std::uint64_t>
Word fnv_of(std::string_view letters) {
  Fnv<Word> fnv;
  fnv.add(letters);
  return fnv.value();
}

}  // namespace echelon
