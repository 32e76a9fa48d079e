// One mapped .safetensors file, parsed and checked: what both the single-file source and the sharded folder
// are made of. Private to this room.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "models/formats/mapped_file.h"
#include "models/formats/weight_source.h"

namespace consort {

class SafetensorsFile {
 public:
  // Throws FormatError; `where` in it names the file and the tensor.
  explicit SafetensorsFile(const std::string& path);

  const std::vector<TensorEntry>& tensors() const { return tensors_; }  // by offset
  const std::vector<std::pair<std::string, std::string>>& metadata() const { return metadata_; }
  std::size_t mapped_bytes() const { return file_.size(); }
  const FileIdentity& identity() const { return file_.identity(); }

 private:
  void parse();
  // The bytes at their place, or a copy where the element type needs an alignment that the file does not
  // give.
  const std::byte* aligned(const std::byte* data, std::size_t bytes, std::size_t alignment);

  MappedFile file_;
  std::vector<TensorEntry> tensors_;
  std::vector<std::pair<std::string, std::string>> metadata_;
  std::vector<std::vector<double>> copies_;  // double: aligned for every element type
};

}  // namespace consort
