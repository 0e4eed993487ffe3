# What `cmake --install` puts where. Components: trivium, trivium-train, and dev (the library for other
# programs). Nothing installed names a folder of the source tree; programs find share/trivium from where
# they are themselves (src/core/base/home.h).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# CUDA's runtime comes from where nvcc does, unless the system knows another place.
set(cuda_rpath "")
if(TRIVIUM_HAS_CUDA)
  set(cuda_rpath ${CUDAToolkit_LIBRARY_DIR})
endif()

# document_program(NAME): the man page and the completions of a program, which it writes itself.
function(document_program name)
  set(folder ${CMAKE_BINARY_DIR}/documents)
  set(documents ${folder}/${name}.1 ${folder}/${name} ${folder}/_${name} ${folder}/${name}.fish)
  add_custom_command(
    OUTPUT ${documents}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${folder}
    COMMAND ${name} man > ${folder}/${name}.1
    COMMAND ${name} completion bash > ${folder}/${name}
    COMMAND ${name} completion zsh > ${folder}/_${name}
    COMMAND ${name} completion fish > ${folder}/${name}.fish
    DEPENDS ${name} COMMENT "Documenting ${name}" VERBATIM)
  add_custom_target(document_${name} ALL DEPENDS ${documents})
  set(share ${CMAKE_INSTALL_DATADIR})
  install(FILES ${folder}/${name}.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT ${name})
  install(FILES ${folder}/${name} DESTINATION ${share}/bash-completion/completions COMPONENT ${name})
  install(FILES ${folder}/_${name} DESTINATION ${share}/zsh/vendor-completions COMPONENT ${name})
  install(FILES ${folder}/${name}.fish DESTINATION ${share}/fish/vendor_completions.d COMPONENT ${name})
  install(FILES ${CMAKE_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${name}
          RENAME copyright COMPONENT ${name})
endfunction()

# --- trivium
set_target_properties(trivium PROPERTIES INSTALL_RPATH "${cuda_rpath}")
install(TARGETS trivium RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT trivium)
document_program(trivium)
install(DIRECTORY prompts configs DESTINATION ${CMAKE_INSTALL_DATADIR}/trivium COMPONENT trivium)
install(DIRECTORY checkpoints/trivium-small COMPONENT trivium
        DESTINATION ${CMAKE_INSTALL_DATADIR}/trivium/checkpoints)

# --- dev
set_target_properties(libtrivium PROPERTIES INSTALL_RPATH "${cuda_rpath}")
target_include_directories(libtrivium INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(libtrivium INTERFACE cxx_std_17)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/trivium)
install(TARGETS libtrivium EXPORT triviumTargets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
install(FILES src/core/api/trivium.h src/core/api/trivium_c.h
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/trivium COMPONENT dev)
install(EXPORT triviumTargets NAMESPACE trivium:: DESTINATION ${package_folder}
        FILE triviumConfig.cmake COMPONENT dev)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/triviumConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/triviumConfigVersion.cmake DESTINATION ${package_folder}
        COMPONENT dev)

# --- python: the library beside the files of src/core/api/python/trivium, in a wheel only
install(FILES $<TARGET_FILE:libtrivium> DESTINATION trivium RENAME libtrivium.so
        COMPONENT python EXCLUDE_FROM_ALL)

# --- trivium-train, with the libraries of LibTorch that it loads
if(TRIVIUM_LEARNING)
  set(torch_folder ${CMAKE_INSTALL_LIBDIR}/trivium)
  file(RELATIVE_PATH torch_from_bin ${CMAKE_INSTALL_FULL_BINDIR}
       ${CMAKE_INSTALL_FULL_LIBDIR}/trivium)
  set_target_properties(trivium-train PROPERTIES INSTALL_RPATH
                        "$ORIGIN/${torch_from_bin};${cuda_rpath}")
  install(TARGETS trivium-train RUNTIME_DEPENDENCY_SET train_libraries
          RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT trivium-train)
  install(RUNTIME_DEPENDENCY_SET train_libraries
          DIRECTORIES ${torch_root}/lib ${nvidia_libs}
          PRE_EXCLUDE_REGEXES "^ld-linux" "^linux-vdso"
          POST_EXCLUDE_REGEXES "^/lib" "^/usr/lib"
          LIBRARY DESTINATION ${torch_folder} COMPONENT trivium-train)
  document_program(trivium-train)
endif()
