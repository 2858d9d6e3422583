#include "echelon/io/plugin_file.hpp"

#include <dlfcn.h>

#include <filesystem>
#include <limits>
#include <map>
#include <sstream>

#include "digest.hpp"
#include "durable_file.hpp"
#include "echelon/core/error.hpp"
#include "echelon/plugin.hpp"

namespace echelon {

namespace {

namespace fs = std::filesystem;

constexpr ErrorKind usage = ErrorKind::usage;
constexpr const char* how_to_build =
    "build it with echelon_add_plugin and the headers of this installation";

std::string_view value_of(std::string_view abi) {
  return abi.substr(abi.find('=') + 1);
}

/// Of a file that may be anything: what its plug-in needs of the program, before any code of it is
/// run.
void require_same_abi(const std::string& path, const std::string& content) {
  constexpr std::string_view ours = ECHELON_PLUGIN_ABI;
  const std::string_view mark = ours.substr(0, ours.find('=') + 1);
  const auto found = content.find(mark);
  require(content.starts_with("\177ELF") && found != std::string::npos, usage, path,
          ": is no plug-in of Echelon; a plug-in is a shared library, one file of which defines "
          "ECHELON_PLUGIN() (echelon/plugin.hpp)");
  const std::string theirs(value_of(content.c_str() + found));
  require(theirs == value_of(ours), usage, path, ": was built for ", theirs, "; this program is ",
          value_of(ours), "; ", how_to_build);
}

void add_parts_of(const std::string& path) {
  void* const library = ::dlopen(fs::absolute(path).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* const reason = ::dlerror();
    fail(usage, path, ": cannot be loaded (", reason, "); ", how_to_build);
  }
  const auto add_parts = reinterpret_cast<void (*)()>(::dlsym(library, "echelon_register"));
  require(add_parts != nullptr, usage, path,
          ": has no function echelon_register; ECHELON_PLUGIN() heads it");
  try {
    add_parts();
  } catch (const std::exception& error) {
    fail(usage, path, ": the plug-in cannot add its parts: ", error.what());
  } catch (...) {
    fail(usage, path,
         ": the plug-in cannot add its parts: it throws what is no std::exception; let "
         "ECHELON_PLUGIN() throw an Error");
  }
}

}  // namespace

std::string Plugin::text() const {
  return fs::path(path).filename().string() + " " + digest;
}

Plugin load_plugin(const std::string& path) {
  // Loaded libraries stay: their parts are in the catalogs.
  static std::map<std::string, std::string> digests;  // by the true name of a file
  std::error_code ignored;
  require(fs::exists(path, ignored), ErrorKind::missing_input, path,
          ": there is no such plug-in; name another file with --run.plugin, or leave it out");
  require(fs::is_regular_file(path, ignored), usage, path,
          ": is not a file; name the shared library itself");
  const std::string name = fs::canonical(path).string();
  const auto known = digests.find(name);
  if (known != digests.end()) return {path, known->second};
  const std::string content = detail::read_whole(name, std::numeric_limits<std::uint64_t>::max());
  const std::string digest = detail::digest_of(content);
  bool is_new = true;
  for (const auto& [other, its_digest] : digests) is_new = is_new && its_digest != digest;
  if (is_new) {
    require_same_abi(path, content);
    add_parts_of(path);
  }
  digests[name] = digest;
  return {path, digest};
}

std::vector<Plugin> load_plugins(std::string_view paths) {
  std::vector<Plugin> plugins;
  std::istringstream stream{std::string(paths)};
  for (std::string path; std::getline(stream, path, ',');) {
    const auto first = path.find_first_not_of(' ');
    if (first == std::string::npos) continue;
    plugins.push_back(load_plugin(path.substr(first, path.find_last_not_of(' ') - first + 1)));
  }
  return plugins;
}

}  // namespace echelon
