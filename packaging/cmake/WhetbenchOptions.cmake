# Options, language level, warnings and sanitizers: everything that applies to all targets.

option(WHETBENCH_BUILD_TESTS "Build the tests" ON)
option(WHETBENCH_BUILD_GUI "Build the workbench (needs Qt 6)" ON)
option(WHETBENCH_WERROR "Treat warnings as errors" OFF)
include(CheckLanguage)
check_language(CUDA)
if(CMAKE_CUDA_COMPILER)
  set(WHETBENCH_HAS_NVCC ON)
else()
  set(WHETBENCH_HAS_NVCC OFF)
endif()
option(WHETBENCH_BUILD_CUDA "Build the CUDA plugin (needs nvcc and cuBLAS)" ${WHETBENCH_HAS_NVCC})
# The device of this machine; where there is none, that of a data centre (H100, H200).
if(NOT CMAKE_CUDA_ARCHITECTURES)
  find_program(NVIDIA_SMI nvidia-smi)
  if(NVIDIA_SMI)
    set(CMAKE_CUDA_ARCHITECTURES native)
  else()
    set(CMAKE_CUDA_ARCHITECTURES 90)
  endif()
endif()
set(WHETBENCH_SANITIZE "" CACHE STRING "Sanitizers for the whole build, e.g. address,undefined")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib")

# Libraries in ../lib of the executable come first: packaging/bundle.sh puts all of them there. The old tag (RPATH, not
# RUNPATH) also holds for the libraries that those libraries and the plugin need.
set(CMAKE_BUILD_WITH_INSTALL_RPATH ON)
set(CMAKE_INSTALL_RPATH "$ORIGIN/../lib")
add_link_options(LINKER:--disable-new-dtags)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
  set(CMAKE_CUDA_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
endif()

if(WHETBENCH_SANITIZE)
  add_compile_options(-fsanitize=${WHETBENCH_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${WHETBENCH_SANITIZE})
endif()

# Carries include root and warnings; every target of ours links it.
add_library(wb_options INTERFACE)
target_include_directories(wb_options INTERFACE "${CMAKE_SOURCE_DIR}")
target_compile_options(wb_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wnon-virtual-dtor;-Wconversion;-Wno-sign-conversion;-Wno-missing-field-initializers;$<$<BOOL:${WHETBENCH_WERROR}>:-Werror>>)

# At -O3 GCC 12 takes strings of aggregates with default members for uninitialised, and the parts of a concatenation for
# overlapping copies; neither is so.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(wb_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-maybe-uninitialized;-Wno-restrict>)
endif()

# A static library of this project: whet_library(name SOURCES ... PUBLIC ... PRIVATE ...).
function(whet_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC wb_options ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
endfunction()
