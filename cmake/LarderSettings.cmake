# Language, warnings and sanitizers, private to larder's own targets.

if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
endif()
set(CMAKE_CXX_EXTENSIONS OFF)
set(LARDER_SANITIZE "" CACHE STRING "Sanitizers to build with, e.g. address,undefined or thread")

find_package(Threads REQUIRED)

# Everything that larder compiles itself links this.
add_library(larder_settings INTERFACE)
target_compile_features(larder_settings INTERFACE cxx_std_20)
target_compile_options(larder_settings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual
  $<$<BOOL:${LARDER_WERROR}>:-Werror>)
target_link_libraries(larder_settings INTERFACE Threads::Threads)
target_compile_definitions(larder_settings INTERFACE
  $<$<OR:$<CONFIG:Debug>,$<BOOL:${LARDER_SANITIZE}>>:LARDER_CHECK_LOCKS>)  # src/base/mutex.hpp
if(LARDER_SANITIZE)
  set(larder_sanitize_flags -fsanitize=${LARDER_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_compile_options(larder_settings INTERFACE ${larder_sanitize_flags})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # With the checks in the way g++ 12 no longer sees which alternative of a variant is set, and warns of the other.
    target_compile_options(larder_settings INTERFACE -Wno-maybe-uninitialized)
  endif()
  target_link_options(larder_settings INTERFACE -fsanitize=${LARDER_SANITIZE})
endif()
