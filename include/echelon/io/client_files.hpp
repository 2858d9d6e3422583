#pragma once
/// What files say of clients: when they are there, and how fast they are.

#include <string>

#include "echelon/participation/participation.hpp"

namespace echelon {

/// Plain text; `#` starts a comment. First a line `rounds N`, then lines `client first last`: the
/// client is there in rounds first to last, 0 <= first <= last < N. Throws bad_data with file and
/// line, missing_input.
Availability read_availability(const std::string& path);

/// Lines `compute_seconds link_seconds`, the first one of client 0. Throws bad_data with file and
/// line, missing_input.
ClientSpeeds read_client_speeds(const std::string& path);

}  // namespace echelon
