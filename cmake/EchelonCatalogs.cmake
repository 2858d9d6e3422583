# echelon_catalog(KIND ENTRY HEADER FOLDER...): the list of built-in parts of one kind, gathered from the source files of folders.
# A file of parts defines a function named after itself, `std::vector<ENTRY> <file>_parts()` in namespace echelon::detail; this
# writes `std::vector<ENTRY> built_in_<KIND>()`, which concatenates them, ordered by file name. A new part is one new file.
function(echelon_catalog kind entry header)
  set(folders ${ARGN})
  list(TRANSFORM folders PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/ OUTPUT_VARIABLE patterns)
  list(TRANSFORM patterns APPEND /*.cpp)
  file(GLOB files CONFIGURE_DEPENDS ${patterns})
  list(SORT files)
  set(declarations)
  set(calls)
  foreach(file IN LISTS files)
    cmake_path(GET file STEM name)
    file(STRINGS ${file} found REGEX "^std::vector<${entry}> ${name}_parts\\(\\)")
    if(found)
      string(APPEND declarations "std::vector<${entry}> ${name}_parts();\n")
      string(APPEND calls "  add(${name}_parts());\n")
    endif()
  endforeach()
  file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/catalogs/${kind}.cpp CONTENT
"// Written by cmake/EchelonCatalogs.cmake from the files of ${folders}.
#include <iterator>
#include <vector>

#include \"${header}\"

namespace echelon::detail {

${declarations}
std::vector<${entry}> built_in_${kind}() {
  std::vector<${entry}> all;
  const auto add = [&](std::vector<${entry}> parts) {
    all.insert(all.end(), std::make_move_iterator(parts.begin()), std::make_move_iterator(parts.end()));
  };
${calls}  return all;
}

}  // namespace echelon::detail
" @ONLY)
  target_sources(echelon_objects PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/catalogs/${kind}.cpp)
endfunction()
