if("${PROJECT_NAME}" MATCHES "^$|^Slicer$|^Project$")
  message(FATAL_ERROR "project(<extension name>) has to come before include(\${Slicer_USE_FILE})")
endif()
set(EXTENSION_NAME ${PROJECT_NAME})
set(Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR "${Slicer_QTSCRIPTEDMODULES_LIB_DIR}")
include(CTest)

# Files are copied to the build tree at build time, and from there the whole folder is installed.
function(_copy_files target destination source)
  set(copies)
  foreach(file IN LISTS ARGN)
    add_custom_command(
      OUTPUT "${destination}/${file}" DEPENDS "${source}/${file}"
      COMMAND ${CMAKE_COMMAND} -E copy "${source}/${file}" "${destination}/${file}")
    list(APPEND copies "${destination}/${file}")
  endforeach()
  add_custom_target(${target} ALL DEPENDS ${copies})
endfunction()

macro(ctkMacroCompilePythonScript)
  cmake_parse_arguments(
    _ctk "NO_INSTALL_SUBDIR;GLOBAL_TARGET" "TARGET_NAME;SOURCE_DIR;DESTINATION_DIR;INSTALL_DIR" "SCRIPTS;RESOURCES"
    ${ARGN})
  if(_ctk_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "Unknown keywords given to ctkMacroCompilePythonScript(): ${_ctk_UNPARSED_ARGUMENTS}")
  endif()
  foreach(_name TARGET_NAME SCRIPTS DESTINATION_DIR INSTALL_DIR)
    if(NOT DEFINED _ctk_${_name})
      message(FATAL_ERROR "${_name} is mandatory")
    endif()
  endforeach()
  if(NOT _ctk_SOURCE_DIR)
    set(_ctk_SOURCE_DIR ${CMAKE_CURRENT_SOURCE_DIR})
  endif()
  _copy_files(Copy${_ctk_TARGET_NAME}PythonFiles ${_ctk_DESTINATION_DIR} ${_ctk_SOURCE_DIR}
    ${_ctk_SCRIPTS} ${_ctk_RESOURCES})
  set(_ctk_from ${_ctk_DESTINATION_DIR})
  if(_ctk_NO_INSTALL_SUBDIR)
    set(_ctk_from ${_ctk_DESTINATION_DIR}/)
  endif()
  install(DIRECTORY ${_ctk_from} DESTINATION ${_ctk_INSTALL_DIR} COMPONENT RuntimeLibraries USE_SOURCE_PERMISSIONS)
endmacro()

macro(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(_module "WITH_GENERIC_TESTS;WITH_SUBDIR;VERBOSE" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  if(_module_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "Unknown keywords given to slicerMacroBuildScriptedModule(): ${_module_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT DEFINED _module_NAME)
    message(FATAL_ERROR "NAME is mandatory")
  endif()
  foreach(_file ${_module_SCRIPTS} ${_module_RESOURCES})
    if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${_file})
      message(FATAL_ERROR "slicerMacroBuildScriptedModule given nonexistent file or directory '${_file}'")
    endif()
  endforeach()
  ctkMacroCompilePythonScript(
    TARGET_NAME ${_module_NAME}
    SCRIPTS "${_module_SCRIPTS}"
    RESOURCES "${_module_RESOURCES}"
    DESTINATION_DIR ${CMAKE_BINARY_DIR}/${Slicer_QTSCRIPTEDMODULES_LIB_DIR}
    INSTALL_DIR ${Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR}
    NO_INSTALL_SUBDIR
    )
endmacro()

function(slicer_add_python_unittest)
  cmake_parse_arguments(_test "" "SCRIPT;TESTNAME_PREFIX" "SLICER_ARGS" ${ARGN})
  if(NOT EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${_test_SCRIPT}")
    message(FATAL_ERROR "slicer_add_python_unittest given nonexistent script '${_test_SCRIPT}'")
  endif()
endfunction()
