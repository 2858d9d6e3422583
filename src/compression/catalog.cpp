#include "echelon/compression/compressor.hpp"

namespace echelon {

namespace detail {
std::vector<CompressorEntry> built_in_compressors();
}

PartList<CompressorEntry>& compressor_catalog() {
  static PartList<CompressorEntry> parts("compressor", detail::built_in_compressors());
  return parts;
}

std::unique_ptr<Compressor> make_compressor(const Chosen<CompressorEntry>& chosen,
                                            Index dimension) {
  ECHELON_ASSERT(dimension >= 1);
  PartOptions options = chosen.options();
  require_in_range("consensus", [&](OptionVisitor& visitor) { options.visit(visitor); });
  return chosen->make(options, dimension);
}

}  // namespace echelon
