# consort_room(NAME [ASIO] [DEPS target...] [PRIVATE_DEPS target...] [TEST_DEPS target...])
#   One room (sub-folder) of the house becomes one static library `<folder>_<room>`:
#     every *.cpp here that is not a *_test.cpp goes into the library;
#     every *_test.cpp goes into the executable `<folder>_<room>_test`, each of its cases a CTest entry.
#   Files named *_avx2.cpp / *_avx512.cpp are compiled with those instruction sets; they are reached only
#   through the run-time choice of kernels/cpu/isa.h.
# consort_folder(NAME)
#   The folder's own target `consort_<folder>`: an interface over its rooms.
set(CONSORT_AVX2_FLAGS -mavx2 -mfma -mf16c -mbmi2)
set(CONSORT_AVX512_FLAGS -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni
    -mfma -mf16c -mavx2 -mbmi2
    -Wno-maybe-uninitialized -Wno-uninitialized) # GCC 12 warns about the undefined pass-through operands inside its own intrinsics

# Rooms that read or move raw bytes: misaligned access is looked for there under UBSan (see options.cmake).
set(CONSORT_BYTE_ROOMS memory_base memory_kv memory_tensor memory_store models_formats models_tokenizer
    models_arch protocols_zmq)

# Kernels are compiled for speed, except under a sanitizer, where -O3 only costs compile time.
set(CONSORT_KERNEL_OPTIMISATION -O3)
if(CONSORT_SANITIZE)
  set(CONSORT_KERNEL_OPTIMISATION -O1)
endif()

function(consort_isa_flags)
  foreach(source ${ARGN})
    if(source MATCHES "_avx512\\.cpp$")
      set_source_files_properties(${source} PROPERTIES
        COMPILE_OPTIONS "${CONSORT_AVX512_FLAGS};${CONSORT_KERNEL_OPTIMISATION}" SKIP_PRECOMPILE_HEADERS ON)
    elseif(source MATCHES "_avx2\\.cpp$")
      set_source_files_properties(${source} PROPERTIES
        COMPILE_OPTIONS "${CONSORT_AVX2_FLAGS};${CONSORT_KERNEL_OPTIMISATION}" SKIP_PRECOMPILE_HEADERS ON)
    endif()
  endforeach()
endfunction()

function(consort_room target)
  cmake_parse_arguments(ARG "ASIO" "" "DEPS;PRIVATE_DEPS;TEST_DEPS" ${ARGN})
  set(precompiled base)
  if(ARG_ASIO)
    set(precompiled asio)
  endif()
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cpp$|_main\\.cpp$")
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  consort_isa_flags(${sources})
  if(sources)
    add_library(${target} STATIC ${sources})
    consort_use_precompiled(${target} ${precompiled})
    if(CONSORT_SANITIZE MATCHES "undefined" AND target IN_LIST CONSORT_BYTE_ROOMS)
      target_compile_options(${target} PRIVATE -fsanitize=alignment)
    endif()
    target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/generated)
    target_link_libraries(${target} PUBLIC ${ARG_DEPS} PRIVATE ${ARG_PRIVATE_DEPS})
  else()
    add_library(${target} INTERFACE)
    target_include_directories(${target} INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/generated)
    target_link_libraries(${target} INTERFACE ${ARG_DEPS})
  endif()
  if(tests)
    consort_isa_flags(${tests})
    add_executable(${target}_test ${tests})
    target_link_libraries(${target}_test PRIVATE ${target} ${ARG_PRIVATE_DEPS} ${ARG_TEST_DEPS}
                          GTest::gmock GTest::gtest_main)
    consort_add_gtest(${target}_test)
  endif()
endfunction()

# consort_add_gtest(EXECUTABLE [LABELS label...]): every case of the executable becomes a CTest entry (under a
#   sanitizer the executable is one entry).
function(consort_add_gtest executable)
  cmake_parse_arguments(ARG "" "TIMEOUT" "LABELS" ${ARGN})
  include(GoogleTest)
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  consort_use_precompiled(${executable} test)
  target_compile_definitions(${executable} PRIVATE
    CONSORT_SOURCE_DIR="${CMAKE_SOURCE_DIR}" CONSORT_BINARY_DIR="${CMAKE_BINARY_DIR}")
  # What scripts/sanitize builds: not the program, not the tests that need weights.
  if(NOT TARGET sanitized_tests)
    add_custom_target(sanitized_tests)
  endif()
  if("unit" IN_LIST ARG_LABELS OR "parity" IN_LIST ARG_LABELS OR "fuzz" IN_LIST ARG_LABELS)
    add_dependencies(sanitized_tests ${executable})
  endif()
  if(CONSORT_SANITIZE) # starting a process costs more than most cases: one entry for the whole executable
    add_test(NAME ${executable}/all COMMAND ${executable} --gtest_brief=1)
    set_tests_properties(${executable}/all PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT 1800)
    return()
  endif()
  gtest_discover_tests(${executable} DISCOVERY_MODE PRE_TEST TEST_PREFIX ${executable}/
                       PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT})
endfunction()

function(consort_folder name)
  add_library(consort_${name} INTERFACE)
  target_link_libraries(consort_${name} INTERFACE ${ARGN})
endfunction()

# consort_registry(FOLDER HEADER FUNCTION NAMES...)
#   Generates `generated/<folder>/registry.inc` with one line CONSORT_ENTRY(name) for each name, so that a list
#   in CMake is the only list. A name that stands twice is an error at configure time.
function(consort_registry folder)
  set(names ${ARGN})
  set(unique ${names})
  list(REMOVE_DUPLICATES unique)
  if(NOT "${names}" STREQUAL "${unique}")
    message(FATAL_ERROR "${folder}: a name stands twice in the registry: ${names}")
  endif()
  set(text "// Generated by consort_registry(${folder}); the list stands in ${folder}/CMakeLists.txt.\n")
  foreach(name ${names})
    string(APPEND text "CONSORT_ENTRY(${name})\n")
  endforeach()
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/${folder}/registry.inc CONTENT "${text}" @ONLY)
endfunction()

# consort_embed(FOLDER FILE...): makes `generated/<folder>/<file>.inc`, the file's text as a raw string literal.
function(consort_embed folder)
  foreach(file ${ARGN})
    file(READ ${CMAKE_SOURCE_DIR}/${folder}/${file} text)
    file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/${folder}/${file}.inc
         CONTENT "R\"~text~(${text})~text~\"" @ONLY)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/${file})
  endforeach()
endfunction()
