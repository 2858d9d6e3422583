#pragma once
/// The `echelon` command, for programs that add to it.

namespace echelon {

/// Runs the command that the arguments name, such as `run` or `list`, as the executable does, and
/// returns its exit code. Initializes and finalizes MPI where the command needs it, catches
/// signals, and prints; a program calls it once, from its own `main`. Link with `echelon::main`.
int main(int argc, char** argv);

}  // namespace echelon
