#pragma once
/// The values a user gave, checked against what the composed parts declare.

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "echelon/core/options.hpp"
#include "echelon/core/part.hpp"

namespace echelon {

/// Keys are `section.name`. Parts of the program `read` the sections they own; whatever stays
/// unread is an error.
class Configuration {
 public:
  /// A later `set` of the same key wins. `origin` names file and line, the environment, or the
  /// command line.
  void set(const std::string& key, const std::string& value, const std::string& origin);

  /// Of a preset: holds unless the user gives the key, and is no error if nothing reads it, so that
  /// a user may replace the part that would.
  void suggest(const std::string& key, const std::string& value, const std::string& origin);

  /// Sets every option of `options` that was given, checks it, and records the declaration for
  /// `resolved`. What `section` does not give is taken from the section `otherwise`.
  template <class Options>
  void read(std::string_view section, Options& options, std::string_view otherwise = {}) {
    apply(section, otherwise, [&](OptionVisitor& visitor) { options.visit(visitor); });
  }

  /// Lets `key` of a section choose a part, and reads the options of the part that was chosen.
  template <class Entry>
  void choose(std::string_view section, std::string_view key, Chosen<Entry>& chosen,
              std::string_view help) {
    apply(section, {}, [&](OptionVisitor& visitor) { chosen.visit(visitor, key, help); });
  }

  /// Throws a usage error with a line for each given key that nothing has read: which parts of
  /// `axes` do, or the nearest known name.
  void require_all_read(const std::vector<PartAxis>& axes = {}) const;

  /// What the user gave, as text for another rank, and from it.
  std::string packed() const;
  static Configuration unpacked(const std::string& text);

  bool has(const std::string& key) const { return given_.count(key) > 0; }
  bool has_section(const std::string& section) const;

  /// The resolved configuration as INI text, in the order of reading; reads back as the same
  /// configuration. Without operational options it is the part that decides what is computed.
  std::string resolved(bool with_operational = true) const;

  /// All options read so far, under their full names and with their values.
  const std::vector<OptionDescription>& declared() const { return declared_; }

 private:
  struct Given {
    std::string value;
    std::string origin;
    bool suggested = false;
  };
  class Reader;

  void apply(std::string_view section, std::string_view otherwise,
             const std::function<void(OptionVisitor&)>& visit);
  static std::vector<std::string> readers(const PartAxis& axis, const std::string& name,
                                          const std::vector<PartAxis>& axes);
  std::string chosen_in(const PartAxis& axis) const;
  std::string reason(const std::string& key, const std::vector<PartAxis>& axes) const;

  std::map<std::string, Given> given_;
  std::set<std::string> read_;  ///< of the given keys
  std::vector<OptionDescription> declared_;
  std::map<std::string, std::string>
      conditions_;  ///< under which options that are not read would be
};

}  // namespace echelon
