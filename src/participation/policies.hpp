#pragma once
/// What the files of policies share.

#include "echelon/participation/policy.hpp"

namespace echelon::detail {

/// After all responses, and after the server knows that the others are lost.
RoundEnd after_all(const std::vector<double>& responses, double lost);

/// Declares option `wait_for`.
void visit_wait_for(OptionVisitor& visitor, std::int64_t& wait_for);
/// Throws a usage error unless 1 <= wait_for <= slots.
void check_wait_for(const char* policy, std::int64_t wait_for, AgentId slots);

}  // namespace echelon::detail
