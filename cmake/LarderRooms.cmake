# larder_room(NAME SOURCES file... SEES room...): one room of src/ as an object library.
#
# SEES lists the rooms on lower floors whose headers the room includes. What is listed is checked here against
# the floors; that nothing else is included is checked by tests/house.
include(LarderFloors)

function(larder_room name)
  cmake_parse_arguments(PARSE_ARGV 1 room "" "" "SOURCES;SEES")
  larder_check_sees(${name} ${room_SEES})
  add_library(larder_${name} OBJECT ${room_SOURCES})
  target_include_directories(larder_${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src>)
  set_target_properties(larder_${name} PROPERTIES
    POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_link_libraries(larder_${name} PRIVATE larder_settings)
  set_property(GLOBAL APPEND PROPERTY LARDER_ROOMS larder_${name})
  list(JOIN room_SEES " " sees)
  set_property(GLOBAL APPEND PROPERTY LARDER_SEES "${name}: ${sees}")
endfunction()
