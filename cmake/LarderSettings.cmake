# Language, warnings and sanitizers, private to larder's own targets; and larder_room().

set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_CXX_EXTENSIONS OFF)
set(LARDER_SANITIZE "" CACHE STRING "Sanitizers to build with, e.g. address,undefined or thread")

find_package(Threads REQUIRED)

# Everything that larder compiles itself links this.
add_library(larder_settings INTERFACE)
target_compile_features(larder_settings INTERFACE cxx_std_20)
target_compile_options(larder_settings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual -Werror)
target_link_libraries(larder_settings INTERFACE Threads::Threads)
if(LARDER_SANITIZE)
  target_compile_options(larder_settings INTERFACE
    -fsanitize=${LARDER_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(larder_settings INTERFACE -fsanitize=${LARDER_SANITIZE})
endif()

# larder_room(NAME SOURCES file... SEES room...): one room of src/ as an object library. SEES lists the rooms
# below it whose headers it may include.
function(larder_room name)
  cmake_parse_arguments(PARSE_ARGV 1 room "" "" "SOURCES;SEES")
  add_library(larder_${name} OBJECT ${room_SOURCES})
  target_include_directories(larder_${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src>)
  set_target_properties(larder_${name} PROPERTIES
    POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_link_libraries(larder_${name} PRIVATE larder_settings)
  set_property(GLOBAL APPEND PROPERTY LARDER_ROOMS larder_${name})
endfunction()
