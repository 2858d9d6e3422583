#include "echelon/core/catalog.hpp"
#include "entries.hpp"

namespace echelon {

namespace {

/// Options may come from a program that set them itself, past the reader of configurations.
class RangeCheck final : public OptionVisitor {
 public:
  void operator()(std::string_view name, double& value, const Range& range,
                  std::string_view) override {
    check(name, value, value, range);
  }
  void operator()(std::string_view name, std::int64_t& value, const Range& range,
                  std::string_view) override {
    check(name, value, static_cast<double>(value), range);
  }
  void operator()(std::string_view, bool&, std::string_view) override {}
  void operator()(std::string_view, std::string&, std::string_view) override {}
  void choice(std::string_view, std::string&, const std::vector<std::string>&,
              std::string_view) override {}
  void part(std::string_view, std::string&, const std::vector<std::string>&,
            const std::function<std::string(const std::string&)>&, std::string_view) override {}

 private:
  template <class Number>
  static void check(std::string_view name, Number shown, double value, const Range& range) {
    require(range.contains(value), ErrorKind::usage, "consensus.", name, " = ", shown,
            ": out of range; choose a value in ", range.text());
  }
};

}  // namespace

void CompressionOptions::visit(OptionVisitor& visitor) {
  std::vector<std::string> names;
  for (const CompressorEntry& entry : compressor_catalog()) names.push_back(entry.name);
  visitor.choice("compressor", compressor, names,
                 "how messages are shortened; read by compressed strategies");
  visitor("compression_ratio", ratio, above_up_to(0, 1),
          "share of the entries that is sent, rounded up; read by top-k, random-k, "
          "random-k-unbiased");
  visitor("compression_bits", bits, between(1, 8),
          "bits per entry for its magnitude, besides the sign; read by quantization");
  visitor("compression_rank", rank, at_least(1), "columns of each factor; read by low-rank");
  visitor("compression_rows", rows, at_least(0),
          "rows of the variable as a matrix, filled column by column; 0 = as square as possible; "
          "read by low-rank");
  visitor("compression_block", block, at_least(0),
          "consecutive entries that share one norm; 0 = all; read by quantization, sign");
}

const std::vector<CompressorEntry>& compressor_catalog() {
  static const std::vector<CompressorEntry> entries = {
      detail::identity_entry(),          detail::top_k_entry(),        detail::random_k_entry(),
      detail::random_k_unbiased_entry(), detail::quantization_entry(), detail::sign_entry(),
      detail::float32_entry(),           detail::bfloat16_entry(),     detail::low_rank_entry(),
  };
  return entries;
}

std::unique_ptr<Compressor> make_compressor(const CompressionOptions& options, Index dimension) {
  ECHELON_ASSERT(dimension >= 1);
  CompressionOptions checked = options;
  const CompressorEntry& entry = find_entry(compressor_catalog(), options.compressor, "compressor");
  RangeCheck check;
  checked.visit(check);
  return entry.make(options, dimension);
}

}  // namespace echelon
