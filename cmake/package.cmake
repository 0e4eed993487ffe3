# The Debian packages trivium (the program, its files and the library) and trivium-train: tools/package.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME trivium)
set(CPACK_PACKAGE_CONTACT "The Trivium maintainers <trivium@localhost>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
set(CPACK_COMPONENTS_ALL trivium dev)
if(TRIVIUM_LEARNING)
  list(APPEND CPACK_COMPONENTS_ALL trivium-train)
endif()
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${torch_root}/lib ${nvidia_libs})
set(CPACK_DEBIAN_TRIVIUM_PACKAGE_NAME trivium)
set(CPACK_DEBIAN_TRIVIUM_DESCRIPTION "text-to-text models with pools of experts
 Answers, scores, evaluates and explains text-to-text models whose layers hold
 pools of experts, with a route for every task. With a small checkpoint, and a
 C++ library.")
set(CPACK_DEBIAN_TRIVIUM_PACKAGE_SUGGESTS trivium-train)
set(CPACK_DEBIAN_TRIVIUM-TRAIN_PACKAGE_NAME trivium-train)
set(CPACK_DEBIAN_TRIVIUM-TRAIN_DESCRIPTION "training of Trivium's models
 Trains and adapts models for trivium, imports checkpoints, and runs the
 studies. Brings the libraries of LibTorch that it needs.")
set(CPACK_DEBIAN_TRIVIUM-TRAIN_PACKAGE_DEPENDS "trivium (= ${PROJECT_VERSION})")

include(CPack)
cpack_add_component_group(trivium)
cpack_add_component_group(trivium-train)
cpack_add_component(trivium GROUP trivium)
cpack_add_component(dev GROUP trivium)
if(TRIVIUM_LEARNING)
  cpack_add_component(trivium-train GROUP trivium-train)
endif()
