# Run with PAIR=room;neighbor: makes the claim that `room` sees `neighbor`.
cmake_minimum_required(VERSION 3.25)
include(${CMAKE_CURRENT_LIST_DIR}/../../cmake/LarderFloors.cmake)
larder_check_sees(${PAIR})
