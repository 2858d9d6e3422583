#pragma once
/// Parts: what a user chooses by name (a method, a strategy, a topology, ...), each with options of
/// its own. The part that was chosen reads its options; nobody else does.
///
/// An entry of a part list is a struct with at least
///
///     std::string name, summary;
///     PartOptions options;                 its own options, with their defaults
///
/// and, where they exist, `formula`, `reference` and `aliases` (other names by which it is known).

#include <algorithm>
#include <any>
#include <cctype>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "echelon/core/catalog.hpp"
#include "echelon/core/error.hpp"
#include "echelon/core/options.hpp"

namespace echelon {

/// A value of an option struct whose type only its part knows. Copyable.
class PartOptions {
 public:
  PartOptions() = default;  ///< no options
  /// `Options` is copyable and has `visit(OptionVisitor&)`.
  template <class Options>
  PartOptions(Options options)  // NOLINT(google-explicit-constructor): an entry names its struct
      : value_(std::move(options)), visit_([](std::any& value, OptionVisitor& visitor) {
          std::any_cast<Options&>(value).visit(visitor);
        }) {}

  void visit(OptionVisitor& visitor) {
    if (visit_ != nullptr) visit_(value_, visitor);
  }
  template <class Options>
  const Options& as() const {
    const auto* value = std::any_cast<Options>(&value_);
    ECHELON_ASSERT(value != nullptr);
    return *value;
  }
  template <class Options>
  Options& as() {
    auto* value = std::any_cast<Options>(&value_);
    ECHELON_ASSERT(value != nullptr);
    return *value;
  }

 private:
  std::any value_;
  void (*visit_)(std::any&, OptionVisitor&) = nullptr;
};

namespace detail {

template <class Entry>
bool is_called(const Entry& entry, std::string_view name) {
  if (equal_but_for_case(entry.name, name)) return true;
  if constexpr (requires { entry.aliases; }) {
    return std::any_of(entry.aliases.begin(), entry.aliases.end(),
                       [&](const auto& alias) { return equal_but_for_case(alias, name); });
  } else {
    return false;
  }
}

}  // namespace detail

/// All parts of one kind: those of the library, then those that a program or a plug-in added.
/// Entries never move. Not safe to `add` to while others read: parts are added before anything is
/// composed.
template <class Entry>
class PartList {
 public:
  /// `kind` names the kind in messages, such as "consensus strategy".
  PartList(std::string kind, std::vector<Entry> built_in) : kind_(std::move(kind)) {
    for (Entry& entry : built_in) add(std::move(entry));
  }
  PartList(const PartList&) = delete;
  PartList& operator=(const PartList&) = delete;

  /// Throws a usage error if a part of this kind has one of its names already.
  void add(Entry entry) {
    const auto require_new = [&](std::string_view name) {
      require(find(name) == nullptr, ErrorKind::usage, "there are two ", kind_,
              " parts with the name `", name, "`; choose another name");
    };
    require_new(entry.name);
    if constexpr (requires { entry.aliases; }) {
      for (const auto& alias : entry.aliases) require_new(alias);
    }
    entries_.push_back(std::move(entry));
  }

  const std::string& kind() const { return kind_; }
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }
  std::size_t size() const { return entries_.size(); }

  /// By name or alias, without regard to case; nullptr if there is none.
  const Entry* find(std::string_view name) const {
    for (const Entry& entry : entries_) {
      if (detail::is_called(entry, name)) return &entry;
    }
    return nullptr;
  }
  /// Throws a usage error that names the nearest part.
  const Entry& at(std::string_view name) const {
    if (const Entry* entry = find(name)) return *entry;
    fail(ErrorKind::usage, "there is no ", kind_, " called `", name, "`; the nearest is `",
         nearest_name(name, names()), "`");
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const Entry& entry : entries_) all.push_back(entry.name);
    return all;
  }

 private:
  std::string kind_;
  std::deque<Entry> entries_;
};

/// A choice between parts, for messages about options that the chosen ones do not have.
struct PartAxis {
  struct Part {
    std::string name;
    std::vector<std::string> options;  ///< names without the section
  };
  std::string section;
  std::string key;  ///< names the part
  std::vector<Part> parts;
  /// The parts in use; empty: the one that the option `section.key` names, if it was declared.
  std::vector<std::string> chosen{};
};

/// `chosen` as in PartAxis.
template <class Entry>
PartAxis axis_of(const PartList<Entry>& list, std::string section, std::string key,
                 std::vector<std::string> chosen = {}) {
  PartAxis axis{std::move(section), std::move(key), {}, std::move(chosen)};
  for (const Entry& entry : list) {
    PartAxis::Part& part = axis.parts.emplace_back();
    part.name = entry.name;
    for (const auto& option : describe_options(entry.options)) part.options.push_back(option.name);
  }
  return axis;
}

/// The part that was chosen from a list, with the values of its options.
template <class Entry>
class Chosen {
 public:
  /// With the part's defaults.
  Chosen(const PartList<Entry>& list, std::string_view name)
      : list_(&list), part_(&list.at(name)), options_(part_->options) {}
  Chosen(const PartList<Entry>& list, std::string_view name, PartOptions options)
      : list_(&list), part_(&list.at(name)), options_(std::move(options)) {}

  /// Another part of the list, with its defaults. A name that no part has is refused where the part
  /// is used, so that ranks which use it together refuse it together.
  Chosen& operator=(std::string_view name) {
    part_ = list_->find(name);
    unknown_ = part_ == nullptr ? name : "";
    options_ = part_ == nullptr ? PartOptions() : part_->options;
    return *this;
  }
  /// Sets an option of the part by name. Its range is checked where the part is used. Throws a
  /// usage error if the part has no such option, or if it is of another type.
  template <class Value>
  void set(std::string_view option, const Value& value) {
    detail::OptionSetter setter(option, detail::option_value(value));
    options_.visit(setter);
    require(setter.found(), ErrorKind::usage, list_->kind(), " ", (**this).name, " has no option `",
            option, "`");
  }

  /// Throws a usage error that names the nearest part if there is none of that name.
  const Entry& operator*() const { return part_ != nullptr ? *part_ : list_->at(unknown_); }
  const Entry* operator->() const { return &**this; }
  const PartList<Entry>& list() const { return *list_; }
  const PartOptions& options() const { return options_; }
  PartOptions& options() { return options_; }
  template <class Options>
  const Options& as() const {
    return options_.as<Options>();
  }

  /// Declares the option `key` that names the part, then the part's own options beside it.
  void visit(OptionVisitor& visitor, std::string_view key, std::string_view help) {
    visit_name(visitor, key, help);
    options_.visit(visitor);
  }
  /// Only the option that names the part; another name brings that part's defaults.
  void visit_name(OptionVisitor& visitor, std::string_view key, std::string_view help) {
    std::string name = (**this).name;
    visitor.part(
        key, name, list_->names(), [this](const std::string& word) { return list_->at(word).name; },
        help);
    if (name != (**this).name) *this = name;
  }
  /// Only the part's own options.
  void visit_options(OptionVisitor& visitor) { options_.visit(visitor); }

 private:
  const PartList<Entry>* list_;
  const Entry* part_;  ///< nullptr: there is none called `unknown_`
  std::string unknown_{};
  PartOptions options_;
};

}  // namespace echelon
