# SPDX-License-Identifier: Apache-2.0

# Warnings are on in everything the project writes itself, and errors for developers (SOLFEGE_WERROR).
function(solfege_warnings target)
  # GCC 12 takes its own AVX-512 header and <regex> for uninitialized uses.
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wno-maybe-uninitialized)
  if(SOLFEGE_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(SOLFEGE_NATIVE)
    target_compile_options(${target} PRIVATE -march=native)
  endif()
endfunction()

# One library a top-level folder, of all sources below it. Includes are relative to the repository's root.
function(solfege_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "EXCLUDE")
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${name}/*.cpp)
  foreach(excluded IN LISTS arg_EXCLUDE)
    list(REMOVE_ITEM sources ${PROJECT_SOURCE_DIR}/${name}/${excluded})
  endforeach()
  add_library(solfege_${name} STATIC ${sources})
  solfege_warnings(solfege_${name})
  target_include_directories(solfege_${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_include_directories(solfege_${name} SYSTEM PRIVATE ${TOMLPLUSPLUS_INCLUDE_DIR})
  target_compile_definitions(solfege_${name} PRIVATE SOLFEGE_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
endfunction()
