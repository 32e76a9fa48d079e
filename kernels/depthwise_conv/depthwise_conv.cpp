#include "kernels/depthwise_conv/depthwise_conv.h"

#include <algorithm>
#include <cassert>

#include "kernels/depthwise_conv/kernel.h"

namespace consort {

void depthwise_conv(Exec& exec, TensorView x, TensorView weights, TensorView bias, const ConvShape& shape,
                    ConvActivation activation, TensorView out) {
  assert(x.rank == 4 && out.rank == 4 && out.dims[3] == x.dims[3]);
  const std::int64_t h = x.dims[1], w = x.dims[2], c = x.dims[3], out_h = out.dims[1], out_w = out.dims[2];
  const std::int64_t columns = (out_w - 1) * shape.stride_w + shape.kernel_w;
  const ScratchArena::Mark mark(exec.scratch);
  const std::span<float> zeros = exec.scratch.take_array<float>(static_cast<std::size_t>(c));
  std::fill(zeros.begin(), zeros.end(), 0.0f);
  const auto entries = static_cast<std::size_t>(shape.kernel_h * columns);
  const std::span<const float*> room =
      exec.scratch.take_array<const float*>(entries * static_cast<std::size_t>(exec.threads.size()));
  DepthwiseRow all;
  all.columns = static_cast<std::size_t>(columns);
  all.kernel_h = static_cast<std::size_t>(shape.kernel_h);
  all.kernel_w = static_cast<std::size_t>(shape.kernel_w);
  all.stride = static_cast<std::size_t>(shape.stride_w);
  all.out_columns = static_cast<std::size_t>(out_w);
  all.channels = static_cast<std::size_t>(c);
  all.weights = weights.as<float>();
  all.bias = bias.as<float>();
  all.activation = activation;
  exec.threads.parallel_for(
      static_cast<std::size_t>(out.dims[0] * out_h), 1, [&](std::size_t begin, std::size_t end, int worker) {
        const float** pixels = room.data() + entries * static_cast<std::size_t>(worker);
        for (std::size_t r = begin; r < end; ++r) {
          const std::int64_t n = static_cast<std::int64_t>(r) / out_h,
                             y = static_cast<std::int64_t>(r) % out_h;
          for (std::int64_t ky = 0; ky < shape.kernel_h; ++ky) {
            const std::int64_t in_y = y * shape.stride_h - shape.pad_top + ky;
            const bool inside = in_y >= 0 && in_y < h;
            const float* row = x.as<float>() + (n * h + (inside ? in_y : 0)) * w * c;
            for (std::int64_t i = 0; i < columns; ++i) {
              const std::int64_t in_x = i - shape.pad_left;
              pixels[ky * columns + i] = inside && in_x >= 0 && in_x < w ? row + in_x * c : zeros.data();
            }
          }
          DepthwiseRow one = all;
          one.pixels = pixels;
          one.out = out.as<float>() + static_cast<std::int64_t>(r) * out_w * c;
          CONSORT_ISA_CALL(exec.isa, depthwise_row, one);
        }
      });
}

}  // namespace consort
