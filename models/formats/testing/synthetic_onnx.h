// Small ONNX files made in memory by tests: protobuf fields by hand, so that a test can also build wrong
// ones. Not part of the program.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace consort::testing {

inline void put_varint(std::string& bytes, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  bytes += static_cast<char>(value);
}
inline void put_number(std::string& bytes, int field, std::uint64_t value) {
  put_varint(bytes, static_cast<std::uint64_t>(field) << 3);
  put_varint(bytes, value);
}
inline void put_bytes(std::string& bytes, int field, std::string_view value) {
  put_varint(bytes, static_cast<std::uint64_t>(field) << 3 | 2);
  put_varint(bytes, value.size());
  bytes += value;
}

// A TensorProto, field by field.
class OnnxTensor {
 public:
  OnnxTensor(std::string_view name, int data_type, const std::vector<std::int64_t>& dims,
             bool packed = true) {
    std::string run;
    for (const auto d : dims) {
      if (packed)
        put_varint(run, static_cast<std::uint64_t>(d));
      else
        put_number(bytes_, 1, static_cast<std::uint64_t>(d));
    }
    if (packed && !dims.empty()) put_bytes(bytes_, 1, run);
    put_number(bytes_, 2, static_cast<std::uint64_t>(data_type));
    put_bytes(bytes_, 8, name);
  }
  template <typename T>
  OnnxTensor& raw(const std::vector<T>& values) {
    put_bytes(bytes_, 9, {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)});
    return *this;
  }
  OnnxTensor& floats(const std::vector<float>& values) {
    put_bytes(bytes_, 4, {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
    return *this;
  }
  // field 5: int32_data, 7: int64_data.
  OnnxTensor& integers(int field, const std::vector<std::int64_t>& values) {
    std::string run;
    for (const auto v : values) put_varint(run, static_cast<std::uint64_t>(v));
    put_bytes(bytes_, field, run);
    return *this;
  }
  OnnxTensor& number(int field, std::uint64_t value) { return put_number(bytes_, field, value), *this; }
  OnnxTensor& text(int field, std::string_view value) { return put_bytes(bytes_, field, value), *this; }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

inline std::string onnx_model(const std::vector<OnnxTensor>& tensors) {
  std::string graph, model, opset, property;
  put_bytes(graph, 1, std::string("\x0a\x01x", 3));  // a node, which the reader passes over
  put_bytes(graph, 2, "small");
  for (const OnnxTensor& t : tensors) put_bytes(graph, 5, t.bytes());
  put_number(model, 1, 7);
  put_bytes(model, 2, "synthetic");
  put_bytes(model, 7, graph);
  put_number(opset, 2, 14);
  put_bytes(model, 8, opset);
  put_bytes(property, 1, "kind");
  put_bytes(property, 2, "test");
  put_bytes(model, 14, property);
  return model;
}

// Every way of writing values, in all the types that the encoders use.
inline std::string small_onnx() {
  return onnx_model({OnnxTensor("w_quantized", 3, {2, 3}).raw<std::int8_t>({1, -2, 3, -4, 5, -127}),
                     OnnxTensor("w_scale", 1, {}).floats({0.25f}),
                     OnnxTensor("w_zero_point", 3, {}).integers(5, {0}),
                     OnnxTensor("table", 2, {2, 2}, false).raw<std::uint8_t>({0, 70, 128, 255}),
                     OnnxTensor("table_zero_point", 2, {}).integers(5, {70}),
                     OnnxTensor("bias", 1, {3}).raw<float>({1.5f, -2.5f, 3.5f}),
                     OnnxTensor("ids", 7, {2}).integers(7, {-5, 1LL << 40}),
                     OnnxTensor("shape", 6, {2}).integers(5, {-1, 384}), OnnxTensor("none", 1, {0, 4})});
}

}  // namespace consort::testing
