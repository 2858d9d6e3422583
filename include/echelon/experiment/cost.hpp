#pragma once
/// What an iteration of a composition costs an agent: predicted from the declarations of its parts,
/// and compared by the tests with what is counted.

#include <optional>
#include <string>
#include <vector>

#include "echelon/experiment/experiment.hpp"

namespace echelon {

/// Vectors that an agent sends per iteration once a run is under way.
struct TrafficTerm {
  enum class Length {
    upper,
    lower,
    scalar,
    lower_by_upper,  ///< q p numbers
    lower_by_lower   ///< q q numbers
  } length = Length::upper;
  double vectors = 0;
  bool reduced = false;  ///< averaged over all agents; otherwise sent to each neighbor
  std::optional<Chosen<CompressorEntry>> compressor{};  ///< none: doubles
};

struct CompositionCost {
  std::vector<TrafficTerm> traffic;
  double gradients = 0;
  double products = 0;
  double values = 0;
  MethodCost::Growth per_x, per_y;
  MethodCost::Count count = MethodCost::Count::exact;

  /// In all, for x in R^p and y in R^q.
  double gradients_for(Index p, Index q) const;
  double products_for(Index p, Index q) const;

  /// Such as "2 p + 4 q to each neighbor".
  std::string traffic_text() const;
  /// Bytes to each neighbor (reduced terms: bytes of the vectors that are reduced) for x in R^p and
  /// y in R^q.
  double bytes(bool reduced, Index p, Index q) const;
};

/// Of the composition that `general` names; reads the method's options.
CompositionCost cost_of(const GeneralOptions& general, Configuration& configuration);

}  // namespace echelon
