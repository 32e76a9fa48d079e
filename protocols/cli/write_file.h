// Writing a result file whole or not at all.
#pragma once

#include <string>
#include <string_view>

#include "memory/base/status.h"

namespace consort {

// Temporary file beside it, fsync, rename. Errors: kIo with the system's reason.
Status write_file(const std::string& path, std::string_view bytes);

}  // namespace consort
