// A decoded picture.
#pragma once

#include <cstdint>
#include <vector>

namespace consort {

// 8-bit RGB, rows top down: [height][width][3]. Owns its bytes; movable.
struct Image {
  std::int64_t width = 0, height = 0;
  std::vector<std::uint8_t> rgb;
};

}  // namespace consort
