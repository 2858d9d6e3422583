# Plug-ins and the programs that load them; installed with the package.

# echelon_add_plugin(NAME SOURCE...): builds NAME.so, for programs that load it while they run. It holds none of the library:
# what it uses of it comes from the program that loads it.
function(echelon_add_plugin name)
  add_library(${name} MODULE ${ARGN})
  set_target_properties(${name} PROPERTIES PREFIX "")
  target_link_libraries(${name} PRIVATE echelon::headers)
endfunction()

# echelon_host_plugins(TARGET): the executable, which links echelon::echelon or echelon::main, holds and shows the whole library,
# so that plug-ins find what they use of it.
function(echelon_host_plugins target)
  set_target_properties(${target} PROPERTIES ENABLE_EXPORTS ON)
  get_target_property(library echelon::echelon ALIASED_TARGET)
  if(library MATCHES "static$")
    target_link_options(${target} PRIVATE -Wl,--whole-archive,$<TARGET_FILE:echelon::static>,--no-whole-archive)
    set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS $<TARGET_FILE:echelon::static>)
  endif()
endfunction()
