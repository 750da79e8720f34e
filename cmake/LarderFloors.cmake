# The floors of the house and the rule of what a room may see. No targets here, so that a test can run it alone.

# Rooms by floor, lowest first. The rooms of one floor are strangers to each other.
set(LARDER_FLOORS "base" "policy codec observe os" "memory store" "cache")

# Sets `out` to the floor of a room, counted from 1; it is an error if the room has none.
function(larder_floor room out)
  set(floor 0)
  foreach(rooms IN LISTS LARDER_FLOORS)
    math(EXPR floor "${floor} + 1")
    string(REPLACE " " ";" rooms "${rooms}")
    if(room IN_LIST rooms)
      set(${out} ${floor} PARENT_SCOPE)
      return()
    endif()
  endforeach()
  message(FATAL_ERROR "room `${room}` is on no floor: see LARDER_FLOORS in cmake/LarderFloors.cmake")
endfunction()

# Fails unless every room that `name` sees stands on a lower floor.
function(larder_check_sees name)
  larder_floor(${name} floor)
  foreach(neighbor IN LISTS ARGN)
    larder_floor(${neighbor} neighbor_floor)
    if(NOT neighbor_floor LESS floor)
      message(FATAL_ERROR "room `${name}` (floor ${floor}) may not see `${neighbor}` (floor ${neighbor_floor}): "
        "a room sees lower floors only")
    endif()
  endforeach()
endfunction()
