// One mapped .onnx file, its initialisers parsed and checked: what both the single file and the folder are
// made of. Private to this room.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "models/formats/mapped_file.h"
#include "models/formats/weight_source.h"

namespace consort {

class OnnxFile {
 public:
  // Throws FormatError; `where` in it names the file and the tensor.
  explicit OnnxFile(const std::string& path);

  const std::vector<TensorEntry>& tensors() const { return tensors_; }  // in file order
  const std::vector<std::pair<std::string, MetaValue>>& metadata() const { return metadata_; }
  std::size_t mapped_bytes() const { return file_.size(); }
  const FileIdentity& identity() const { return file_.identity(); }

 private:
  struct Initialiser;
  void parse();
  void parse_graph(std::span<const std::byte> message);
  void add(std::span<const std::byte> message);
  // The values as contiguous bytes of the element type: at their place, or a copy when they are written as
  // numbers or lie where the type may not.
  const std::byte* values(const Initialiser& tensor, std::size_t elements);
  std::byte* own(std::size_t bytes);

  MappedFile file_;
  std::vector<TensorEntry> tensors_;
  std::vector<std::pair<std::string, MetaValue>> metadata_;
  std::vector<std::vector<double>> copies_;  // double: aligned for every element type
};

}  // namespace consort
