#include "models/formats/safetensors_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

namespace consort {
namespace {

constexpr std::size_t kDataAlignment = 64;  // a cache line: readers may map the data and use it as it lies

std::optional<const char*> safetensors_name(DType type) {
  switch (type) {
    case DType::kF32:
      return "F32";
    case DType::kF16:
      return "F16";
    case DType::kBF16:
      return "BF16";
    case DType::kF64:
      return "F64";
    case DType::kI8:
      return "I8";
    case DType::kU8:
      return "U8";
    case DType::kI16:
      return "I16";
    case DType::kI32:
      return "I32";
    case DType::kI64:
      return "I64";
    case DType::kBool:
      return "BOOL";
    default:
      return std::nullopt;
  }
}

bool is_contiguous(const TensorView& view) {
  std::int64_t stride = 1;
  for (int i = view.rank - 1; i >= 0; --i) {
    const auto at = static_cast<std::size_t>(i);
    if (view.dims[at] != 1 && view.strides[at] != stride) return false;
    stride *= view.dims[at];
  }
  return true;
}

std::uint64_t byte_size(const TensorView& view) {
  return static_cast<std::uint64_t>(view.elements()) * dtype_info(view.dtype).bytes;
}

Result<std::string> header_of(std::span<const NamedTensor> tensors,
                              std::span<const std::pair<std::string, std::string>> metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  for (const auto& [key, value] : metadata) header["__metadata__"][key] = value;
  std::set<std::string> names;
  std::uint64_t offset = 0;
  for (const auto& [name, view] : tensors) {
    const std::string where = "tensor " + name;
    if (name.empty() || name == "__metadata__" || !names.insert(name).second)
      return fail(ErrorKind::kInvalid, "a tensor's name is empty, reserved or there twice", where);
    const auto dtype = safetensors_name(view.dtype);
    if (!dtype) return fail(ErrorKind::kUnsupported, "safetensors has no block formats", where);
    if (view.device.kind != DeviceKind::kCpu || !is_contiguous(view))
      return fail(ErrorKind::kInvalid, "the tensor is not contiguous host memory", where);
    nlohmann::ordered_json shape = nlohmann::ordered_json::array();
    for (int i = 0; i < view.rank; ++i) shape.push_back(view.dims[static_cast<std::size_t>(i)]);
    const std::uint64_t end = offset + byte_size(view);
    header[name] = {{"dtype", *dtype}, {"shape", shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  try {
    std::string text = header.dump();
    text.append((kDataAlignment - (8 + text.size()) % kDataAlignment) % kDataAlignment, ' ');
    return text;
  } catch (const nlohmann::json::exception&) {
    return fail(ErrorKind::kInvalid, "a tensor's name or a metadata text is not UTF-8");
  }
}

bool write_all(int fd, const void* data, std::size_t bytes) {
  const char* p = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t n = ::write(fd, p, bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    p += n;
    bytes -= static_cast<std::size_t>(n);
  }
  return true;
}

}  // namespace

Status write_safetensors(const std::string& path, std::span<const NamedTensor> tensors,
                         std::span<const std::pair<std::string, std::string>> metadata) {
  CONSORT_TRY(header, header_of(tensors, metadata));
  const std::string temporary = path + ".tmp-" + std::to_string(::getpid());
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return fail(ErrorKind::kIo, std::string("cannot create: ") + std::strerror(errno), path);
  const std::uint64_t header_bytes = header.size();
  bool good =
      write_all(fd, &header_bytes, sizeof(header_bytes)) && write_all(fd, header.data(), header.size());
  for (const auto& tensor : tensors) good = good && write_all(fd, tensor.view.data, byte_size(tensor.view));
  good = good && ::fsync(fd) == 0;
  int error = good ? 0 : errno;
  if (::close(fd) != 0 && good) error = errno;
  if (error == 0 && ::rename(temporary.c_str(), path.c_str()) != 0) error = errno;
  if (error == 0) return {};
  ::unlink(temporary.c_str());
  return fail(ErrorKind::kIo, std::string("cannot write: ") + std::strerror(error), path,
              "nothing was written; check free space and permissions");
}

}  // namespace consort
