# Precompiled headers: what a source file costs is, to two thirds, reading the standard library and the header-only
# libraries again. Three sets, each compiled once and used by every room (kernels for one instruction set have other
# flags and read their few headers themselves):
#   base   the standard library's and {fmt}'s headers that most files name
#   asio   base and Boost.Asio: rooms that run coroutines
#   test   base, GoogleTest and GoogleMock (executables only)
# Only headers from outside the project stand here, so that a change in the project recompiles what it touches. A
# file still includes what it uses: tests/layering compiles every header alone, and -DCONSORT_PCH=OFF everything.
option(CONSORT_PCH "compile with precompiled headers" ON)

set(CONSORT_PCH_BASE
    <algorithm> <array> <atomic> <charconv> <chrono> <cmath> <condition_variable> <cstdint> <cstring> <filesystem>
    <fstream> <functional> <future> <map> <memory> <mutex> <numeric> <optional> <random> <set> <span> <sstream>
    <stop_token> <string> <string_view> <thread> <unordered_map> <utility> <variant> <vector>
    <fmt/format.h> <tl/expected.hpp>)
set(CONSORT_PCH_ASIO
    <boost/asio/awaitable.hpp> <boost/asio/co_spawn.hpp> <boost/asio/detached.hpp> <boost/asio/io_context.hpp>
    <boost/asio/post.hpp> <boost/asio/steady_timer.hpp> <boost/asio/use_awaitable.hpp>)
set(CONSORT_PCH_TEST <gmock/gmock.h> <gtest/gtest.h>)

# consort_precompile(SUFFIX): makes the sets with the compile options of the directory that calls it; rooms below use
#   the sets named by CONSORT_PCH_SUFFIX.
function(consort_precompile suffix)
  if(NOT CONSORT_PCH)
    return()
  endif()
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/precompiled.cpp CONTENT "int main() {}\n")
  foreach(set base asio test)
    set(target precompiled_${set}${suffix})
    if(set STREQUAL "test") # executables are compiled as position-independent executables, libraries as libraries
      add_executable(${target} ${CMAKE_BINARY_DIR}/generated/precompiled.cpp)
    else()
      add_library(${target} STATIC ${CMAKE_BINARY_DIR}/generated/precompiled.cpp)
    endif()
    set(headers ${CONSORT_PCH_BASE})
    target_link_libraries(${target} PUBLIC fmt::fmt Boost::headers Threads::Threads)
    if(set STREQUAL "asio")
      list(APPEND headers ${CONSORT_PCH_ASIO})
    elseif(set STREQUAL "test")
      list(APPEND headers ${CONSORT_PCH_TEST})
      target_link_libraries(${target} PUBLIC GTest::gmock GTest::gtest)
    endif()
    target_precompile_headers(${target} PRIVATE ${headers})
  endforeach()
endfunction()

# consort_use_precompiled(TARGET SET): SET is base, asio or test.
function(consort_use_precompiled target set)
  if(CONSORT_PCH)
    target_precompile_headers(${target} REUSE_FROM precompiled_${set}${CONSORT_PCH_SUFFIX})
  endif()
endfunction()
