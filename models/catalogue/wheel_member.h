// Reading one member of a package file (a zip archive).
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "memory/base/status.h"

namespace consort {

// Streams the member's bytes in order to `sink`; a failing sink ends it with the sink's error. `bytes` is the
// size the member must have (checked before and while unpacking). Errors: kCorrupt (no zip, no such member,
// another size, bad checksum), those of the sink.
Status read_wheel_member(const std::string& wheel, const std::string& member, std::uint64_t bytes,
                         const std::function<Status(const char*, std::size_t)>& sink);

}  // namespace consort
