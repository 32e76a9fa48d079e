# Language level, warnings, sanitizers and build accelerators. Included once by the top CMakeLists.txt.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1 -fno-omit-frame-pointer")

set(CONSORT_SANITIZE "" CACHE STRING "'' | address,undefined | thread")
if(CONSORT_SANITIZE)
  add_compile_options(-fsanitize=${CONSORT_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${CONSORT_SANITIZE})
  add_compile_definitions(CONSORT_SANITIZED=1)
  if(CONSORT_SANITIZE MATCHES "undefined")
    # These four check every access through a pointer and double the compile time (15 s against 7 for a file of
    # the workflow runner); AddressSanitizer sees what three of them look for. Rooms that read bytes from outside
    # check alignment all the same (CONSORT_BYTE_ROOMS in rooms.cmake).
    add_compile_options(-fno-sanitize=null,alignment,object-size,vptr)
  elseif(CONSORT_SANITIZE MATCHES "thread")
    add_compile_options(-Wno-tsan) # Asio's fences; its locks are what orders our data
  endif()
endif()

# Floating point: results must be the same whatever the compiler contracts, so contraction is chosen by hand.
add_compile_options(-Wall -Wextra -Wno-missing-field-initializers -ffp-contract=off)
# GCC 12 takes moves of std::string and std::variant in its own library, and frames of coroutines, for these mistakes;
# `make sanitize` looks for the real ones.
add_compile_options(-Wno-array-bounds -Wno-restrict -Wno-stringop-overflow -Wno-stringop-overread -Wno-maybe-uninitialized
                    -Wno-mismatched-new-delete)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE}) # else no file with a precompiled header is cached
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()
