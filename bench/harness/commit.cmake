# Writes a header with the commit of SOURCE and the build type to OUTPUT, touching it only when they changed.
execute_process(COMMAND git describe --always --dirty --abbrev=12 --exclude=*
  WORKING_DIRECTORY ${SOURCE} OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT commit)
  set(commit unknown)
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT [[
#pragma once
namespace bench {
inline constexpr const char* k_commit = "@commit@";
inline constexpr const char* k_build_type = "@BUILD_TYPE@";
}  // namespace bench
]] @ONLY)
