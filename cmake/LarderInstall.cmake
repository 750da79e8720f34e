# Install rules: both libraries, headers, the CMake package, the pkg-config file, the tool. Tested by tests/install.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/larder)
set(generated_dir ${PROJECT_BINARY_DIR}/package)

install(TARGETS larder_static larder_shared larder_default EXPORT larderTargets
  COMPONENT larder_library
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/larder DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  COMPONENT larder_library)
install(EXPORT larderTargets NAMESPACE larder:: DESTINATION ${package_dir} COMPONENT larder_library)

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/larderConfig.cmake.in ${generated_dir}/larderConfig.cmake
  INSTALL_DESTINATION ${package_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${generated_dir}/larderConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${generated_dir}/larderConfig.cmake ${generated_dir}/larderConfigVersion.cmake
  DESTINATION ${package_dir} COMPONENT larder_library)

# The prefix is found from the file itself, so that the installation can be moved.
file(RELATIVE_PATH pc_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(${PROJECT_SOURCE_DIR}/cmake/larder.pc.in ${generated_dir}/larder.pc @ONLY)
install(FILES ${generated_dir}/larder.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT larder_library)

if(TARGET larder_tool)
  install(TARGETS larder_tool COMPONENT larder_tool)
endif()
