#include "echelon/core/options.hpp"

#include <charconv>
#include <cmath>
#include <cstdio>

#include "echelon/core/error.hpp"

namespace echelon {

namespace {

class RangeCheck final : public OptionVisitor {
 public:
  explicit RangeCheck(std::string_view section) : section_(section) {}
  void operator()(std::string_view name, double& value, const Range& range,
                  std::string_view) override {
    check(name, value, value, range);
  }
  void operator()(std::string_view name, std::int64_t& value, const Range& range,
                  std::string_view) override {
    check(name, value, static_cast<double>(value), range);
  }
  void operator()(std::string_view, bool&, std::string_view) override {}
  void operator()(std::string_view, std::string&, std::string_view) override {}
  void choice(std::string_view, std::string&, const std::vector<std::string>&,
              std::string_view) override {}
  void part(std::string_view, std::string&, const std::vector<std::string>&,
            const std::function<std::string(const std::string&)>&, std::string_view) override {}

 private:
  template <class Number>
  void check(std::string_view name, Number shown, double value, const Range& range) {
    require(range.contains(value), ErrorKind::usage, section_, ".", name, " = ", shown,
            ": out of range; choose a value in ", range.text());
  }

  std::string_view section_;
};

}  // namespace

void require_in_range(std::string_view section, const std::function<void(OptionVisitor&)>& visit) {
  RangeCheck check(section);
  visit(check);
}

bool Range::contains(double value) const {
  if (std::isnan(value)) return false;
  return (low_open ? value > low : value >= low) && (high_open ? value < high : value <= high);
}

std::string Range::text() const {
  const bool has_low = std::isfinite(low);
  const bool has_high = std::isfinite(high);
  if (has_low && has_high) {
    return echelon::text(low_open ? "(" : "[", number_text(low), ", ", number_text(high),
                         high_open ? ")" : "]");
  }
  if (has_low) return (low_open ? "> " : ">= ") + number_text(low);
  if (has_high) return (high_open ? "< " : "<= ") + number_text(high);
  return "";
}

std::string number_text(double value) {
  char buffer[64];
  const auto result = std::to_chars(buffer, buffer + sizeof buffer, value);
  return {buffer, result.ptr};
}

std::string scaled_text(double value, const char* unit) {
  constexpr const char* prefixes[] = {"", "k", "M", "G", "T"};
  int step = 0;
  for (; value >= 1000 && step < 4; ++step) value /= 1000;
  char buffer[48];
  std::snprintf(buffer, sizeof buffer, step == 0 ? "%.0f%s%s%s" : "%.3g%s%s%s", value,
                step == 0 && *unit == 0 ? "" : " ", prefixes[step], unit);
  return buffer;
}

namespace detail {

void OptionCollector::operator()(std::string_view name, double& value, const Range& range,
                                 std::string_view help) {
  out_.push_back({std::string(name), "number", number_text(value), range.text(), std::string(help),
                  operational_});
}

void OptionCollector::operator()(std::string_view name, std::int64_t& value, const Range& range,
                                 std::string_view help) {
  out_.push_back({std::string(name), "integer", std::to_string(value), range.text(),
                  std::string(help), operational_});
}

void OptionCollector::operator()(std::string_view name, bool& value, std::string_view help) {
  out_.push_back(
      {std::string(name), "yes/no", value ? "yes" : "no", "", std::string(help), operational_});
}

void OptionCollector::operator()(std::string_view name, std::string& value, std::string_view help) {
  out_.push_back({std::string(name), "text", value, "", std::string(help), operational_});
}

void OptionCollector::choice(std::string_view name, std::string& value,
                             const std::vector<std::string>& words, std::string_view help) {
  std::string all;
  for (const auto& word : words) all += (all.empty() ? "" : " | ") + word;
  out_.push_back({std::string(name), all, value, "", std::string(help), operational_});
}

void OptionCollector::part(std::string_view name, std::string& value,
                           const std::vector<std::string>&,
                           const std::function<std::string(const std::string&)>&,
                           std::string_view help) {
  out_.push_back({std::string(name), "name", value, "", std::string(help), operational_});
}

template <class Value>
void OptionSetter::set(std::string_view name, Value& value, const char* type) {
  if (name != name_) return;
  found_ = true;
  if constexpr (std::is_same_v<Value, double>) {
    if (const auto* whole = std::get_if<std::int64_t>(&value_)) {
      value = static_cast<double>(*whole);
      return;
    }
  }
  const Value* given = std::get_if<Value>(&value_);
  require(given != nullptr, ErrorKind::usage, "option ", name, ": its value is ", type);
  value = *given;
}

void OptionSetter::operator()(std::string_view name, double& value, const Range&,
                              std::string_view) {
  set(name, value, "a number");
}

void OptionSetter::operator()(std::string_view name, std::int64_t& value, const Range&,
                              std::string_view) {
  set(name, value, "a whole number");
}

void OptionSetter::operator()(std::string_view name, bool& value, std::string_view) {
  set(name, value, "yes or no");
}

void OptionSetter::operator()(std::string_view name, std::string& value, std::string_view) {
  set(name, value, "a text");
}

void OptionSetter::choice(std::string_view name, std::string& value,
                          const std::vector<std::string>&, std::string_view) {
  set(name, value, "a text");
}

void OptionSetter::part(std::string_view name, std::string& value, const std::vector<std::string>&,
                        const std::function<std::string(const std::string&)>&, std::string_view) {
  set(name, value, "a name");
}

}  // namespace detail
}  // namespace echelon
