#pragma once
/// What the machine can still give, and what this process has asked for.

#include <filesystem>
#include <string>

namespace echelon {

/// Bytes that processes may still take without swapping: MemAvailable of /proc/meminfo, or less
/// where a control group of this process, of version 1 or 2, has a limit; what a group keeps of
/// files that it can drop counts as free. Infinity where the system says nothing. `root` stands
/// before /proc and /sys.
double free_memory_bytes(const std::filesystem::path& root = "/");

/// Bytes that this process has allocated and not freed, pages that were never touched included; 0
/// where the C library does not tell. Shared and mapped memory of others is not part of it.
double allocated_bytes();

/// The same text for processes that share one memory, and another for those that do not.
std::string machine_id();

}  // namespace echelon
