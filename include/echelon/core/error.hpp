#pragma once
/// Errors that a user or a caller can do something about. The executable maps each kind to its exit
/// code.

#include <sstream>
#include <stdexcept>
#include <string>

namespace echelon {

enum class ErrorKind {
  usage = 2,           ///< configuration or command line
  bad_data = 65,       ///< malformed or inconsistent input
  missing_input = 66,  ///< a file that is not there
  internal = 70,       ///< a mistake of ours
  cannot_create = 73,  ///< an output that cannot be created, or exists already
  input_output = 74,   ///< reading or writing failed half-way
  stalled = 76,        ///< a peer does not answer
};

/// Message grammar: `where: problem (why); what would be right`.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message, bool on_all_ranks = false)
      : std::runtime_error(message), kind_(kind), on_all_ranks_(on_all_ranks) {}
  ErrorKind kind() const { return kind_; }
  /// True if every rank throws the same error, so that a program can leave in order.
  bool on_all_ranks() const { return on_all_ranks_; }

 private:
  ErrorKind kind_;
  bool on_all_ranks_;
};

/// Concatenates its arguments as text.
template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream stream;
  (stream << ... << parts);
  return stream.str();
}

template <class... Parts>
[[noreturn]] void fail(ErrorKind kind, const Parts&... parts) {
  throw Error(kind, text(parts...));
}

/// Throws an Error of `kind` unless `condition`. For what a user can repair; always on.
template <class... Parts>
void require(bool condition, ErrorKind kind, const Parts&... parts) {
  if (!condition) fail(kind, parts...);
}

namespace detail {
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);
}  // namespace detail

/// For mistakes of ours. Active in development and audit builds.
#ifdef ECHELON_ASSERTIONS
#define ECHELON_ASSERT(expression) \
  ((expression) ? void() : ::echelon::detail::assertion_failed(#expression, __FILE__, __LINE__))
#else
#define ECHELON_ASSERT(expression) void(sizeof(bool(expression)))
#endif

}  // namespace echelon
