// How a Hugging Face folder wants its pictures: preprocessor_config.json, or "image_processor" of
// processor_config.json.
#pragma once

#include <array>
#include <string>

#include "models/image/preprocess.h"

namespace consort {

struct PixelScaling {
  // value * factor, then (value - mean) / deviation of its channel.
  float factor = 1.0f / 255.0f;
  std::array<float, 3> mean = {0, 0, 0}, deviation = {1, 1, 1};
};

struct ImagePreprocessing {
  PreprocessPlan plan;
  PixelScaling scaling;
};

// `defaults` stand for what the files leave out, or for files that are not there. The result is checked to
// give `side` x `side` pixels. Errors: kCorrupt for files that are not the JSON expected, kUnsupported for
// filters and sizes that are not known.
Result<ImagePreprocessing> read_image_preprocessing(const std::string& folder, std::int64_t side,
                                                    const ImagePreprocessing& defaults);

}  // namespace consort
