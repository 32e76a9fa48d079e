// Reader of torch checkpoints (torch/serialization.py): in the layout before torch 1.6 (_legacy_save: five
// pickles, then the storages) and since (_save: a zip archive of stored entries, data.pkl and data/KEY).
// State dictionaries of tensors and nothing else. Memory-mapped; tensors are views into the file, or row by
// row copies of transposed ones.
#pragma once

#include <memory>
#include <string>

#include "memory/base/status.h"
#include "models/formats/weight_source.h"

namespace consort {

// The first bytes of such a file: a pickle of torch's magic number.
inline constexpr std::string_view kTorchPickleMagic{
    "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e", 15};

// Tensors of the state dictionary, which is the whole value or stands under "state_dict" or "model"; plain
// values beside the tensors become metadata. Errors: kNotFound, kIo; kCorrupt (damaged pickles, sizes,
// storages that do not fit the tensors, bytes left over); kUnsupported (opcodes and globals that are
// not allowed, more than four dimensions: named).
Result<std::unique_ptr<WeightSource>> open_torch_pickle(const std::string& path);

}  // namespace consort
