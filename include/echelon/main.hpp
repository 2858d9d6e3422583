#pragma once
/// The `echelon` command, for programs that add to it.

namespace echelon {

/// Runs the command that the arguments name, such as `run` or `list`, as the executable does, and
/// returns its exit code. Initializes and finalizes MPI where the command needs it, catches
/// signals, and prints; a program calls it once, from its own `main`. Link with `echelon::main`.
///
/// `add_parts` adds the program's own parts to the catalogs, before anything else; what it throws
/// is reported in one line.
int main(int argc, char** argv, void (*add_parts)() = nullptr);

}  // namespace echelon
