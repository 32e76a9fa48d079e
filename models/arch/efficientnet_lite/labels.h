// The 1,000 ImageNet classes in the order of their WordNet ids (imagenet_labels.txt, with its licence).
#pragma once

#include <string>
#include <vector>

namespace consort::efficientnet {

std::vector<std::string> imagenet_labels();

}  // namespace consort::efficientnet
