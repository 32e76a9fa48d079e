// Items for benches of networks, made here unless a file is named.
#pragma once

#include <string>
#include <vector>

#include "scheduler/host/requests.h"

namespace consort::bench {

struct ItemSet {
  const char* unit;  // "texts_per_s"
  std::vector<ModelInput> items;
};
// Sentences of 6 to 40 words; drug-like molecules; PNG pictures of 640 x 480 pixels; source files of 2 KiB.
ItemSet sentences(int count);
ItemSet molecules(int count);
// Paragraphs of 12 to 85 common English words (20 to 120 tokens of a word-piece tokenizer), numbers first,
// first + 1, ...; each names its number. The same on every machine.
std::vector<std::string> paragraphs(std::size_t first, std::size_t count);
// The lines of a file that are not empty. Errors: kNotFound, kInvalid when there is none.
Result<ItemSet> lines_of(const std::string& file);
ItemSet pictures(int count);
ItemSet source_files(int count);

}  // namespace consort::bench
