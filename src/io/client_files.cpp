#include "echelon/io/client_files.hpp"

#include <array>
#include <cmath>
#include <string_view>

#include "graph_format.hpp"

namespace echelon {

namespace {

using detail::GraphLines;
using detail::parses;
using detail::split;

using Words = std::array<std::string_view, 4>;

/// The words of the next line that says anything; 0 at the end of the file.
std::size_t next_words(GraphLines& lines, Words& words) {
  while (lines.next()) {
    const std::string_view line = lines.line().substr(0, lines.line().find('#'));
    if (const std::size_t count = split(line, words); count > 0) return count;
  }
  return 0;
}

}  // namespace

Availability read_availability(const std::string& path) {
  GraphLines lines(path);
  Availability result;
  Words words;
  const std::size_t first = next_words(lines, words);
  lines.check(
      first == 2 && words[0] == "rounds" && parses(words[1], result.rounds) && result.rounds >= 1,
      "this is not the length of a trace; write `rounds N` before everything else");
  while (const std::size_t count = next_words(lines, words)) {
    Availability::Interval next{};
    lines.check(count == 3 && parses(words[0], next.client) && parses(words[1], next.first) &&
                    parses(words[2], next.last) && next.client >= 0,
                "this is not an interval; write `client first last`");
    lines.check(next.first >= 0 && next.first <= next.last && next.last < result.rounds, "rounds ",
                next.first, " to ", next.last, " of a trace with rounds 0 to ", result.rounds - 1,
                "; choose 0 <= first <= last < rounds");
    result.intervals.push_back(next);
  }
  return result;
}

ClientSpeeds read_client_speeds(const std::string& path) {
  GraphLines lines(path);
  ClientSpeeds result;
  Words words;
  while (const std::size_t count = next_words(lines, words)) {
    double compute = 0;
    double link = 0;
    lines.check(count == 2 && parses(words[0], compute) && parses(words[1], link),
                "this is not a client's speed; write `compute_seconds link_seconds`");
    lines.check(std::isfinite(compute) && std::isfinite(link) && compute >= 0 && link >= 0,
                "seconds must be numbers of at least 0");
    result.compute_seconds.push_back(compute);
    result.link_seconds.push_back(link);
  }
  lines.check(!result.compute_seconds.empty(),
              "no client; write a line `compute_seconds link_seconds` for each");
  return result;
}

}  // namespace echelon
