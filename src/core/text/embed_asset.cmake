# Files that become part of the program. Two uses of this file:
#
# include(embed_asset.cmake) gives trivium_assets(OUT HEADER FILES...): it puts into OUT a source file for each
# of FILES (of the calling folder), made anew whenever its file changes. The source file defines what HEADER, a
# path below src/, declares: "extern const std::string_view kRoutesPageCss" for assets/routes_page.css.
#
# cmake -DHEADER=… -DNAME=… -DINPUT=… -DOUTPUT=… -P embed_asset.cmake, which the build runs, writes one of them.
if(CMAKE_SCRIPT_MODE_FILE)
  file(READ "${INPUT}" text)
  string(FIND "${text}" ")asset\"" end_mark)
  if(NOT end_mark EQUAL -1)
    message(FATAL_ERROR "${INPUT} holds the mark that ends an embedded text")
  endif()
  file(WRITE "${OUTPUT}" "#include \"${HEADER}\"\n\nnamespace trivium {\n\n"
    "const std::string_view ${NAME} = R\"asset(${text})asset\";\n\n}  // namespace trivium\n")
  return()
endif()

set(TRIVIUM_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE} CACHE INTERNAL "writes the source of an asset")

function(trivium_assets out header)
  set(sources "")
  foreach(file ${ARGN})
    get_filename_component(words ${file} NAME)
    string(REGEX REPLACE "[_.]" ";" words ${words})
    set(name k)
    foreach(word ${words})
      string(SUBSTRING ${word} 0 1 first)
      string(SUBSTRING ${word} 1 -1 rest)
      string(TOUPPER ${first} first)
      string(APPEND name ${first}${rest})
    endforeach()
    set(input ${CMAKE_CURRENT_SOURCE_DIR}/${file})
    set(output ${CMAKE_CURRENT_BINARY_DIR}/${file}.cc)
    add_custom_command(OUTPUT ${output}
      COMMAND ${CMAKE_COMMAND} -DHEADER=${header} -DNAME=${name} -DINPUT=${input} -DOUTPUT=${output}
              -P ${TRIVIUM_EMBED_SCRIPT}
      DEPENDS ${input} ${TRIVIUM_EMBED_SCRIPT} VERBATIM)
    list(APPEND sources ${output})
  endforeach()
  set(${out} ${sources} PARENT_SCOPE)
endfunction()
