# cmake -P: writes OUTPUT from build_info.cc.in, when something in it has changed. Run at every build, so
# that the commit is the present one; a new commit compiles this one file and links again.
#   SOURCE_DIR, OUTPUT, VERSION, COMPILER, CUDA (text; "" without kernels)
set(commit "")
set(has_changes false)
find_program(git git)
if(git)
  execute_process(COMMAND ${git} -C ${SOURCE_DIR} rev-parse --show-cdup --short=12 HEAD
                  OUTPUT_VARIABLE lines RESULT_VARIABLE failed ERROR_QUIET)
  # The first line is empty where SOURCE_DIR is the top of its repository. A source archive that was
  # unpacked inside another repository does not take that one's commit.
  if(NOT failed AND lines MATCHES "^\n([0-9a-f]+)\n$")
    set(commit ${CMAKE_MATCH_1})
    execute_process(COMMAND ${git} -C ${SOURCE_DIR} --no-optional-locks diff --quiet HEAD
                    RESULT_VARIABLE changed ERROR_QUIET)
    if(changed)
      set(has_changes true)
    endif()
  endif()
endif()
configure_file(${CMAKE_CURRENT_LIST_DIR}/build_info.cc.in ${OUTPUT} @ONLY)
