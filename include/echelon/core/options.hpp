#pragma once
/// Options are declared once, by a member function `visit(OptionVisitor&)` of the struct that holds
/// them. Help, the reader of configuration files, the echo in results and `describe` are visitors.

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace echelon {

/// The admissible interval of a number.
struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool low_open = false;
  bool high_open = false;

  bool contains(double value) const;
  std::string text() const;  ///< such as "(0, 1]" or ">= 1"
};

inline Range any_number() {
  return {};
}
inline Range at_least(double low) {
  return {.low = low};
}
inline Range above(double low) {
  return {.low = low, .low_open = true};
}
inline Range between(double low, double high) {
  return {.low = low, .high = high};
}
inline Range above_up_to(double low, double high) {
  return {.low = low, .high = high, .low_open = true};
}

class OptionVisitor {
 public:
  virtual ~OptionVisitor() = default;
  virtual void operator()(std::string_view name, double& value, const Range& range,
                          std::string_view help) = 0;
  virtual void operator()(std::string_view name, std::int64_t& value, const Range& range,
                          std::string_view help) = 0;
  virtual void operator()(std::string_view name, bool& value, std::string_view help) = 0;
  virtual void operator()(std::string_view name, std::string& value, std::string_view help) = 0;
  /// One of a few words, letter case aside; `value` has the spelling of `words`.
  virtual void choice(std::string_view name, std::string& value,
                      const std::vector<std::string>& words, std::string_view help) = 0;
  /// The name of a part, one of `names`, or empty if it is so by default; `canonical` turns what a
  /// user wrote (an alias, other letter case) into that name; it throws a usage error that names
  /// the nearest part if there is no such part.
  virtual void part(std::string_view name, std::string& value,
                    const std::vector<std::string>& names,
                    const std::function<std::string(const std::string&)>& canonical,
                    std::string_view help) = 0;

  /// An option of this section that the present values of others make useless, and when it would
  /// be read, such as "if participation.dropout > 0". Giving it is an error that says so, also if
  /// the option was visited before: help shows it then, a resolved configuration does not.
  virtual void unread(std::string_view name, std::string_view condition) {
    static_cast<void>(name), static_cast<void>(condition);
  }

  /// Options visited while this is on say how a run is carried out and reported, not which iterates
  /// it computes: they are left out of result files, and they may change on resume.
  void operational(bool on) { operational_ = on; }

 protected:
  bool operational_ = false;
};

struct OptionDescription {
  std::string name;
  std::string type;  ///< number, integer, yes/no, text, or the words of a choice
  std::string value;
  std::string range;
  std::string help;
  bool operational = false;
};

/// What `options.visit` declares, with the values it holds.
template <class Options>
std::vector<OptionDescription> describe_options(Options options);

/// Throws a usage error for a number out of its range, for options that a program has set itself,
/// past the reader of configurations.
void require_in_range(std::string_view section, const std::function<void(OptionVisitor&)>& visit);

/// Shortest text that reads back as the same number.
std::string number_text(double value);
/// Three digits and a prefix, for people: `1.25 MB`.
std::string scaled_text(double value, const char* unit);

namespace detail {

class OptionCollector final : public OptionVisitor {
 public:
  explicit OptionCollector(std::vector<OptionDescription>& out) : out_(out) {}
  void operator()(std::string_view name, double& value, const Range& range,
                  std::string_view help) override;
  void operator()(std::string_view name, std::int64_t& value, const Range& range,
                  std::string_view help) override;
  void operator()(std::string_view name, bool& value, std::string_view help) override;
  void operator()(std::string_view name, std::string& value, std::string_view help) override;
  void choice(std::string_view name, std::string& value, const std::vector<std::string>& words,
              std::string_view help) override;
  void part(std::string_view name, std::string& value, const std::vector<std::string>& names,
            const std::function<std::string(const std::string&)>& canonical,
            std::string_view help) override;

 private:
  std::vector<OptionDescription>& out_;
};

using OptionValue = std::variant<bool, std::int64_t, double, std::string>;

template <class Value>
OptionValue option_value(const Value& value) {
  if constexpr (std::is_same_v<Value, bool>) return value;
  if constexpr (std::is_integral_v<Value>) return static_cast<std::int64_t>(value);
  if constexpr (std::is_floating_point_v<Value>) return static_cast<double>(value);
  if constexpr (!std::is_arithmetic_v<Value>) return std::string(value);
}

/// Sets the option of that name. Throws a usage error if it is of another type.
class OptionSetter final : public OptionVisitor {
 public:
  OptionSetter(std::string_view name, OptionValue value) : name_(name), value_(std::move(value)) {}
  bool found() const { return found_; }
  void operator()(std::string_view name, double& value, const Range& range,
                  std::string_view help) override;
  void operator()(std::string_view name, std::int64_t& value, const Range& range,
                  std::string_view help) override;
  void operator()(std::string_view name, bool& value, std::string_view help) override;
  void operator()(std::string_view name, std::string& value, std::string_view help) override;
  void choice(std::string_view name, std::string& value, const std::vector<std::string>& words,
              std::string_view help) override;
  void part(std::string_view name, std::string& value, const std::vector<std::string>& names,
            const std::function<std::string(const std::string&)>& canonical,
            std::string_view help) override;

 private:
  template <class Value>
  void set(std::string_view name, Value& value, const char* type);

  std::string name_;
  OptionValue value_;
  bool found_ = false;
};

}  // namespace detail

template <class Options>
std::vector<OptionDescription> describe_options(Options options) {
  std::vector<OptionDescription> descriptions;
  detail::OptionCollector collector(descriptions);
  options.visit(collector);
  return descriptions;
}

}  // namespace echelon
