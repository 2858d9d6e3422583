#include "echelon/core/configuration.hpp"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <sstream>

#include "echelon/core/catalog.hpp"
#include "echelon/core/error.hpp"
#include "echelon/core/part.hpp"

namespace echelon {

namespace {

constexpr ErrorKind usage = ErrorKind::usage;

std::string trimmed(const std::string& value) {
  const auto first = value.find_first_not_of(" \t\r");
  if (first == std::string::npos) return "";
  return value.substr(first, value.find_last_not_of(" \t\r") - first + 1);
}

std::string joined(const std::vector<std::string>& words) {
  std::string all;
  for (const auto& word : words) all += (all.empty() ? "" : ", ") + word;
  return all;
}

/// Letter case aside.
bool is_one_of(const std::string& word, std::initializer_list<const char*> candidates) {
  return std::any_of(candidates.begin(), candidates.end(), [&](const char* candidate) {
    return detail::equal_but_for_case(word, candidate);
  });
}

}  // namespace

/// Takes over what was given for one section, and records what the section declares.
class Configuration::Reader final : public OptionVisitor {
 public:
  Reader(Configuration& configuration, std::string_view section, std::string_view otherwise)
      : configuration_(configuration),
        section_(section),
        otherwise_(otherwise),
        declared_(configuration.declared_) {}

  void unread(std::string_view name, std::string_view condition) override {
    const std::string key = section_ + "." + std::string(name);
    configuration_.conditions_[key] = condition;
    configuration_.read_.erase(key);
    std::erase_if(declared_, [&](const OptionDescription& option) { return option.name == key; });
  }

  void operator()(std::string_view name, double& value, const Range& range,
                  std::string_view help) override {
    read_number(name, value, range, "a number");
    record([&](detail::OptionCollector& collector) { collector(name, value, range, help); });
  }

  void operator()(std::string_view name, std::int64_t& value, const Range& range,
                  std::string_view help) override {
    read_number(name, value, range, "a whole number");
    record([&](detail::OptionCollector& collector) { collector(name, value, range, help); });
  }

  void operator()(std::string_view name, bool& value, std::string_view help) override {
    if (const Given* given = find(name)) {
      const std::string& word = given->value;
      const bool yes = is_one_of(word, {"yes", "true", "1", "on"});
      const bool no = is_one_of(word, {"no", "false", "0", "off"});
      require(yes || no, usage, where(*given), "`", word, "` is neither yes nor no");
      value = yes;
    }
    record([&](detail::OptionCollector& collector) { collector(name, value, help); });
  }

  void operator()(std::string_view name, std::string& value, std::string_view help) override {
    if (const Given* given = find(name)) value = given->value;
    record([&](detail::OptionCollector& collector) { collector(name, value, help); });
  }

  void choice(std::string_view name, std::string& value, const std::vector<std::string>& words,
              std::string_view help) override {
    if (const Given* given = find(name)) {
      const auto found = std::find_if(words.begin(), words.end(), [&](const std::string& word) {
        return detail::equal_but_for_case(word, given->value);
      });
      require(found != words.end(), usage, where(*given), "`", given->value, "` is not one of ",
              joined(words), "; the nearest is `", nearest_name(given->value, words), "`");
      value = *found;
    }
    record([&](detail::OptionCollector& collector) { collector.choice(name, value, words, help); });
  }

  void part(std::string_view name, std::string& value, const std::vector<std::string>& names,
            const std::function<std::string(const std::string&)>& canonical,
            std::string_view help) override {
    const Given* given = find(name);
    const bool stays_empty = given != nullptr && given->value.empty() && value.empty();
    if (given != nullptr && !stays_empty) {
      try {
        value = canonical(given->value);
      } catch (const Error& error) {
        fail(usage, where(*given), error.what());
      }
    }
    record([&](detail::OptionCollector& collector) {
      collector.part(name, value, names, canonical, help);
    });
  }

 private:
  const Given* find(std::string_view name) {
    const Given* value = nullptr;
    for (const std::string& section : {section_, otherwise_}) {
      const std::string key = section + "." + std::string(name);
      const auto found = configuration_.given_.find(key);
      if (found == configuration_.given_.end()) continue;
      configuration_.read_.insert(key);  // also if another section beats it
      if (value != nullptr) continue;
      value = &found->second;
      key_ = key;
    }
    return value;
  }

  /// Of the value that was found last.
  std::string where(const Given& given) const { return text(given.origin, ": ", key_, ": "); }

  template <class Number>
  void read_number(std::string_view name, Number& value, const Range& range, const char* what) {
    const Given* given = find(name);
    if (given == nullptr) return;
    const std::string& word = given->value;
    const char* const end = word.data() + word.size();
    Number number{};
    const auto result = std::from_chars(word.data(), end, number);
    require(result.ec == std::errc() && result.ptr == end, usage, where(*given), "`", word,
            "` is not ", what);
    require(range.contains(static_cast<double>(number)), usage, where(*given), word,
            " is out of range; it must be ", range.text().empty() ? "a number" : range.text());
    value = number;
  }

  template <class Collect>
  void record(const Collect& collect) {
    const std::size_t before = declared_.size();
    detail::OptionCollector collector(declared_);
    collector.operational(operational_);
    collect(collector);
    OptionDescription& added = declared_[before];
    added.name = section_ + "." + added.name;
    const auto same = [&](const OptionDescription& other) { return other.name == added.name; };
    const auto earlier = std::find_if(
        declared_.begin(), declared_.begin() + static_cast<std::ptrdiff_t>(before), same);
    if (earlier != declared_.begin() + static_cast<std::ptrdiff_t>(before)) {
      *earlier = added;
      declared_.pop_back();
    }
  }

  Configuration& configuration_;
  std::string section_, otherwise_, key_;
  std::vector<OptionDescription>& declared_;
};

void Configuration::set(const std::string& key, const std::string& value,
                        const std::string& origin) {
  const auto dot = key.find('.');
  require(dot != std::string::npos && dot > 0 && dot + 1 < key.size(), usage, origin, ": `", key,
          "` is not of the form section.key");
  require(value.find_first_of("#\n\r") == std::string::npos, usage, origin, ": ", key, ": `", value,
          "` holds a `#` or a line break, which configuration files cannot; choose another value");
  given_[key] = {trimmed(value), origin, false};
}

void Configuration::suggest(const std::string& key, const std::string& value,
                            const std::string& origin) {
  if (has(key)) return;
  set(key, value, origin);
  given_[key].suggested = true;
}

bool Configuration::has_section(const std::string& section) const {
  return std::any_of(given_.begin(), given_.end(), [&](const auto& item) {
    return item.first.compare(0, section.size() + 1, section + ".") == 0;
  });
}

std::string Configuration::packed() const {
  std::string text;
  for (const auto& [key, given] : given_) {
    if (given.suggested) continue;
    text += key + '\n' + given.value + '\n' + given.origin + '\n';
  }
  return text;
}

Configuration Configuration::unpacked(const std::string& text) {
  Configuration configuration;
  std::istringstream lines(text);
  std::string key, value, origin;
  while (std::getline(lines, key) && std::getline(lines, value) && std::getline(lines, origin)) {
    configuration.set(key, value, origin);
  }
  return configuration;
}

void Configuration::apply(std::string_view section, std::string_view otherwise,
                          const std::function<void(OptionVisitor&)>& visit) {
  Reader reader(*this, section, otherwise);
  visit(reader);
}

void Configuration::require_all_read(const std::vector<PartAxis>& axes) const {
  std::string lines;
  for (const auto& [key, given] : given_) {
    if (given.suggested || read_.count(key) > 0) continue;
    lines += text(lines.empty() ? "" : "\n", given.origin, ": ", reason(key, axes));
  }
  require(lines.empty(), usage, lines);
}

/// The parts of an axis that have an option of their own, not of a part that they hold.
std::vector<std::string> Configuration::readers(const PartAxis& axis, const std::string& name,
                                                const std::vector<PartAxis>& axes) {
  const auto has = [](const PartAxis::Part& part, const std::string& option) {
    return std::find(part.options.begin(), part.options.end(), option) != part.options.end();
  };
  std::vector<std::string> found;
  for (const PartAxis::Part& part : axis.parts) {
    const bool is_held = std::any_of(axes.begin(), axes.end(), [&](const PartAxis& other) {
      return other.section == axis.section && has(part, other.key) &&
             std::any_of(other.parts.begin(), other.parts.end(),
                         [&](const PartAxis::Part& held) { return has(held, name); });
    });
    if (has(part, name) && !is_held) found.push_back(part.name);
  }
  return found;
}

std::string Configuration::chosen_in(const PartAxis& axis) const {
  const auto choice =
      std::find_if(declared_.begin(), declared_.end(), [&](const OptionDescription& option) {
        return option.name == axis.section + "." + axis.key;
      });
  if (!axis.chosen.empty()) return joined(axis.chosen);
  return choice == declared_.end() ? "" : choice->value;
}

/// Why nothing reads `key`.
std::string Configuration::reason(const std::string& key, const std::vector<PartAxis>& axes) const {
  const std::string section = key.substr(0, key.find('.'));
  const std::string name = key.substr(section.size() + 1);
  std::vector<std::string> all_readers, known;
  std::string chosen, choice;
  for (const auto& option : declared_) known.push_back(option.name);
  const auto condition = conditions_.find(key);
  const std::string otherwise = condition == conditions_.end() ? "" : ", and " + condition->second;
  for (const PartAxis& axis : axes) {
    if (axis.section != section) continue;
    for (const PartAxis::Part& part : axis.parts) {
      for (const std::string& option : part.options) known.push_back(section + "." + option);
    }
    const std::vector<std::string> found = readers(axis, name, axes);
    if (found.empty()) continue;
    all_readers.insert(all_readers.end(), found.begin(), found.end());
    choice = section + "." + axis.key;
    if (chosen.empty()) chosen = chosen_in(axis);
  }
  if (all_readers.empty()) {
    if (condition != conditions_.end()) return text(key, " is read ", condition->second);
    return text("there is no option `", key, "` in this composition; the nearest is `",
                nearest_name(key, known), "`");
  }
  const std::string read_by = text(key, " is read by ", joined(all_readers), otherwise);
  if (!chosen.empty()) return text(read_by, "; this run uses ", chosen);
  return text(read_by, ", which are choices of ", choice, "; ", reason(choice, axes));
}

std::string Configuration::resolved(bool with_operational) const {
  std::vector<std::string> sections;
  for (const auto& option : declared_) {
    const std::string section = option.name.substr(0, option.name.find('.'));
    if (std::find(sections.begin(), sections.end(), section) == sections.end()) {
      sections.push_back(section);
    }
  }
  std::string ini;
  for (const auto& section : sections) {
    std::string body;
    for (const auto& option : declared_) {
      if (option.name.compare(0, section.size() + 1, section + ".") != 0) continue;
      if (option.operational && !with_operational) continue;
      body += option.name.substr(section.size() + 1) + " = " + option.value + "\n";
    }
    if (!body.empty()) ini += (ini.empty() ? "[" : "\n[") + section + "]\n" + body;
  }
  return ini;
}

}  // namespace echelon
