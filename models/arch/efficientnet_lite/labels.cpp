#include "models/arch/efficientnet_lite/labels.h"

#include <string_view>

namespace consort::efficientnet {
namespace {

constexpr std::string_view kText =
#include "models/arch/efficientnet_lite/imagenet_labels.txt.inc"
    ;

}  // namespace

std::vector<std::string> imagenet_labels() {
  std::vector<std::string> labels;
  for (std::size_t at = 0; at < kText.size();) {
    const std::size_t end = std::min(kText.find('\n', at), kText.size());
    const std::string_view line = kText.substr(at, end - at);
    if (!line.empty() && line[0] != '#') labels.emplace_back(line);
    at = end + 1;
  }
  return labels;
}

}  // namespace consort::efficientnet
