# Stands in for a built 3D Slicer: the variables and macros that an extension uses, with the same demands on it.
# Their meaning is taken from Slicer 5.10's SlicerConfig.cmake, UseSlicer.cmake and SlicerMacroBuildScriptedModule.cmake
# and from CTK's ctkMacroCompilePythonScript.cmake.
set(Slicer_VERSION "5.10.0")
set(Slicer_USE_FILE "${CMAKE_CURRENT_LIST_DIR}/UseSlicer.cmake")
set(Slicer_EXTENSION_GENERATE_CONFIG "${CMAKE_CURRENT_LIST_DIR}/ExtensionGenerateConfig.cmake")
set(Slicer_EXTENSION_CPACK "${CMAKE_CURRENT_LIST_DIR}/ExtensionCPack.cmake")
set(Slicer_QTSCRIPTEDMODULES_LIB_DIR "lib/Slicer-5.10/qt-scripted-modules")
