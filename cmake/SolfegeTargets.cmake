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

# A room: one library of the sources of a folder, named after it (model/base: solfege_model_base), that may use the
# rooms that it links and no others. Includes are relative to the repository's root.
#
#   solfege_room(FOLDER [ROOMS room...] [LIBRARIES target...] [RECURSE] [EXCLUDE source...])
function(solfege_room folder)
  cmake_parse_arguments(PARSE_ARGV 1 arg "RECURSE" "" "ROOMS;LIBRARIES;EXCLUDE")
  string(REPLACE / _ name solfege_${folder})
  if(arg_RECURSE)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.cpp)
  else()
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${folder}/*.cpp)
  endif()
  foreach(excluded IN LISTS arg_EXCLUDE)
    list(REMOVE_ITEM sources ${PROJECT_SOURCE_DIR}/${folder}/${excluded})
  endforeach()
  add_library(${name} STATIC ${sources})
  solfege_warnings(${name})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_include_directories(${name} SYSTEM PRIVATE ${TOMLPLUSPLUS_INCLUDE_DIR})
  list(TRANSFORM arg_ROOMS REPLACE / _)
  list(TRANSFORM arg_ROOMS PREPEND solfege_)
  target_link_libraries(${name} PUBLIC fmt::fmt ${arg_ROOMS} PRIVATE ${arg_LIBRARIES})
endfunction()
