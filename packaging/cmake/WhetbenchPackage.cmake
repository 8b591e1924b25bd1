# What an installation holds, and the Debian package: cpack -G DEB in the build folder. The component `engine` is all
# that the command line needs; packaging/bundle.sh packs it.

include(GNUInstallDirs)
set(CMAKE_INSTALL_DOCDIR "${CMAKE_INSTALL_DATAROOTDIR}/doc/whetbench")

if(TARGET whet)
  install(TARGETS whet RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT engine)
endif()
if(TARGET whetbench_cuda)
  # The engine looks in ../lib of itself, whatever the system calls its folder of libraries.
  install(TARGETS whetbench_cuda LIBRARY DESTINATION lib COMPONENT engine)
endif()
if(TARGET whetbench)
  install(TARGETS whetbench RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
  install(FILES "${CMAKE_SOURCE_DIR}/packaging/desktop/whetbench.desktop"
          DESTINATION "${CMAKE_INSTALL_DATADIR}/applications")
  install(FILES "${CMAKE_SOURCE_DIR}/packaging/desktop/whetbench.metainfo.xml"
          DESTINATION "${CMAKE_INSTALL_DATADIR}/metainfo")
  install(FILES "${CMAKE_SOURCE_DIR}/resources/icons/whetbench.svg"
          DESTINATION "${CMAKE_INSTALL_DATADIR}/icons/hicolor/scalable/apps")
endif()
install(DIRECTORY "${CMAKE_SOURCE_DIR}/resources/models" "${CMAKE_SOURCE_DIR}/resources/samples"
        DESTINATION "${CMAKE_INSTALL_DATADIR}/whetbench/resources" COMPONENT engine
        PATTERN "*.py" EXCLUDE PATTERN "*.sh" EXCLUDE)
install(DIRECTORY "${CMAKE_SOURCE_DIR}/LICENSES/" DESTINATION "${CMAKE_INSTALL_DOCDIR}/licenses" COMPONENT engine)
install(FILES "${CMAKE_SOURCE_DIR}/README.md" "${CMAKE_SOURCE_DIR}/CHANGELOG.md" DESTINATION "${CMAKE_INSTALL_DOCDIR}"
        COMPONENT engine)

set(CPACK_PACKAGE_NAME whetbench)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Workbench to tune small language models on your own data")
set(CPACK_PACKAGE_VENDOR "Whetbench")
set(CPACK_PACKAGE_CONTACT "Whetbench developers <whetbench@users.noreply.github.com>")
set(CPACK_RESOURCE_FILE_LICENSE "${CMAKE_SOURCE_DIR}/LICENSES/GPL-3.0-or-later.txt")
set(CPACK_STRIP_FILES ON)
set(CPACK_GENERATOR DEB)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
include(CPack)
