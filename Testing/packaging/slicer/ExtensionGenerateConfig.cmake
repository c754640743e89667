file(WRITE "${CMAKE_BINARY_DIR}/${EXTENSION_NAME}Config.cmake" "# stands in for what Slicer writes\n")
