#pragma once
/// Fewer bytes for a vector: lossy encodings with known contraction.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "echelon/core/agent_matrix.hpp"
#include "echelon/core/agents.hpp"
#include "echelon/core/part.hpp"

namespace echelon {

/// What random choices are keyed by: sender and receivers of a message draw the same.
struct MessageKey {
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;  ///< of the variable
  std::uint64_t round = 0;
  AgentId agent = 0;  ///< the sender
};

/// Encodes a vector of d numbers into a message whose size depends on d alone. Stateless.
class Compressor {
 public:
  virtual ~Compressor() = default;
  /// Exact size of a message, in bytes.
  virtual std::size_t bytes(Index dimension) const = 0;
  /// `message` has bytes(v.size()) bytes. A vector with a number that is not finite, or too large
  /// for a cast, gives a message that decodes to NaN in every entry: divergence is then seen by all
  /// who hear it, and ends the run on all ranks together.
  virtual void encode(std::span<const double> v, const MessageKey& key,
                      std::span<std::byte> message) const = 0;
  virtual void decode(std::span<const std::byte> message, const MessageKey& key,
                      std::span<double> v) const = 0;
  /// delta in (0, 1] with E |Q(v) - v|^2 <= (1 - delta) |v|^2 for all v of d numbers.
  virtual double contraction(Index dimension) const = 0;
  /// How far agents may move toward each other's references in gossip with such messages, in (0,
  /// 1]. Theory asks for the contraction times the spectral gap and less; found on rings to
  /// complete graphs: the gap plays no part, the contraction is safe, and twice that no longer is
  /// for random-k.
  virtual double gossip_step(Index dimension) const { return contraction(dimension); }
  /// E Q(v) = v; then `contraction` is that of Q / (1 + variance) and E |Q(v) - v|^2 <= variance
  /// |v|^2.
  virtual bool unbiased() const { return false; }
  virtual double variance(Index) const { return 0; }
};

/// Options of top-k, random-k and random-k-unbiased.
struct KeptEntriesOptions {
  double ratio = 0.1;

  void visit(OptionVisitor& visitor);
};

struct QuantizationOptions {
  std::int64_t bits = 4;
  std::int64_t block = 1024;

  void visit(OptionVisitor& visitor);
};

struct SignOptions {
  std::int64_t block = 1024;

  void visit(OptionVisitor& visitor);
};

struct LowRankOptions {
  std::int64_t rank = 2;
  std::int64_t rows = 0;

  void visit(OptionVisitor& visitor);
};

/// A compressor; its options are in the section of the strategy that compresses.
struct CompressorEntry {
  std::string name;
  std::string summary;
  std::string formula;
  std::string reference;
  std::vector<std::string> aliases{};
  PartOptions options{};
  std::function<std::unique_ptr<Compressor>(const PartOptions&, Index dimension)> make;
};

/// identity, top-k, random-k (contractive), random-k-unbiased, quantization, sign, float32,
/// bfloat16, low-rank.
PartList<CompressorEntry>& compressor_catalog();
/// Throws a usage error for options that are out of range or make no sense at this dimension.
std::unique_ptr<Compressor> make_compressor(const Chosen<CompressorEntry>& chosen, Index dimension);

}  // namespace echelon
