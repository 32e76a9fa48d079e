// Ops: the calls through which layers issue kernels. With a recorder set, every call is announced with its
// operands before it runs and again when it has run: training replays such a list backward, `bench` takes the
// time of each op from it. Without one a call costs one test of a pointer.
#pragma once

#include <initializer_list>
#include <span>
#include <string_view>

#include "kernels/activation/activation.h"
#include "kernels/add/add.h"
#include "kernels/attention/attention.h"
#include "kernels/channel_affine/channel_affine.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/depthwise_conv/depthwise_conv.h"
#include "kernels/edge_softmax/edge_softmax.h"
#include "kernels/int16_matmul/int16_matmul.h"
#include "kernels/layer_norm/layer_norm.h"
#include "kernels/matmul/largest.h"
#include "kernels/matmul/matmul.h"
#include "kernels/rms_norm/rms_norm.h"
#include "kernels/rope/rope.h"
#include "kernels/segment_reduce/segment_reduce.h"

namespace consort {

struct OpCall {
  std::string_view op;                   // "matmul", "paged_attention", ...
  std::span<const TensorView> operands;  // activations, inputs first; valid during the call
};

// Thread: the lane's. Owned by whoever sets it.
class OpRecorder {
 public:
  virtual ~OpRecorder() = default;
  virtual void before(const OpCall& call) = 0;
  virtual void after(const OpCall& call) = 0;
};

// Made for one forward pass, on the stack of the lane's thread.
class Ops {
 public:
  Ops(Exec& exec, OpRecorder* recorder) : exec_(exec), recorder_(recorder) {}
  Exec& exec() const { return exec_; }

  void matmul(TensorView x, std::span<const MatmulJob> jobs) {
    issue("matmul", {x}, [&] { consort::matmul(exec_, x, jobs); });
  }
  void matmul(TensorView x, const PackedMatrix& weights, TensorView out, const float* bias = nullptr) {
    issue("matmul", {x, out}, [&] { consort::matmul(exec_, x, weights, out, bias); });
  }
  LargestWork largest_products(TensorView x, const PackedMatrix& weights, const RowSketch& sketch, int count,
                               TensorView out) {
    LargestWork work;
    issue("largest_products", {x, out},
          [&] { work = consort::largest_products(exec_, x, weights, sketch, count, out); });
    return work;
  }
  void int16_matmul(TensorView x, std::span<const Int16Job> jobs) {
    issue("int16_matmul", {x}, [&] { consort::int16_matmul(exec_, x, jobs); });
  }
  void rms_norm(TensorView x, TensorView weight, float eps, TensorView out) {
    issue("rms_norm", {x, weight, out}, [&] { consort::rms_norm(exec_, x, weight, eps, out); });
  }
  void add_rms_norm(TensorView residual, TensorView delta, TensorView weight, float eps, TensorView out) {
    issue("add_rms_norm", {residual, delta, weight, out},
          [&] { consort::add_rms_norm(exec_, residual, delta, weight, eps, out); });
  }
  void add_layer_norm(TensorView x, TensorView delta, TensorView weight, TensorView bias, float eps,
                      TensorView out) {
    issue("add_layer_norm", {x, delta, weight, bias, out},
          [&] { consort::add_layer_norm(exec_, x, delta, weight, bias, eps, out); });
  }
  void add(TensorView x, TensorView y) {
    issue("add", {x, y}, [&] { consort::add(exec_, x, y); });
  }
  void rope(TensorView x, TensorView cos, TensorView sin, RopeStyle style) {
    issue("rope", {x, cos, sin}, [&] { consort::rope(exec_, x, cos, sin, style); });
  }
  void write_kv(std::span<const AttentionSlice> slices, int layer, TensorView k, TensorView v) {
    issue("write_kv", {k, v}, [&] { consort::write_kv(exec_, slices, layer, k, v); });
  }
  void paged_attention(std::span<const AttentionSlice> slices, const AttentionOptions& options, TensorView q,
                       TensorView out) {
    issue("paged_attention", {q, out}, [&] { consort::paged_attention(exec_, slices, options, q, out); });
  }
  void text_attention(std::span<const int> lengths, float scale, TensorView q, TensorView k, TensorView v,
                      TensorView out, bool causal = false) {
    issue("text_attention", {q, k, v, out},
          [&] { consort::text_attention(exec_, lengths, scale, q, k, v, out, causal); });
  }
  void conv2d(TensorView x, const ConvWeights& weights, const ConvShape& shape, ConvActivation activation,
              TensorView residual, TensorView out) {
    issue("conv2d", {x, residual, out},
          [&] { consort::conv2d(exec_, x, weights, shape, activation, residual, out); });
  }
  void depthwise_conv(TensorView x, TensorView weights, TensorView bias, const ConvShape& shape,
                      ConvActivation activation, TensorView out) {
    issue("depthwise_conv", {x, weights, bias, out},
          [&] { consort::depthwise_conv(exec_, x, weights, bias, shape, activation, out); });
  }
  void gated_activation(GateKind kind, TensorView gate, TensorView up, TensorView out) {
    issue("gated_activation", {gate, up, out},
          [&] { consort::gated_activation(exec_, kind, gate, up, out); });
  }
  void activate(Activation kind, TensorView x) {
    issue("activate", {x}, [&] { consort::activate(exec_, kind, x); });
  }
  void gelu_erf(TensorView x, TensorView bias) {
    issue("gelu_erf", {x}, [&] { consort::gelu_erf(exec_, x, bias); });
  }
  void channel_affine(TensorView x, const ChannelFactors& factors, ChannelActivation activation) {
    issue("channel_affine", {x}, [&] { consort::channel_affine(exec_, x, factors, activation); });
  }
  void segment_reduce(SegmentReduce kind, const Messages& messages, TensorView out) {
    issue("segment_reduce", {messages.x, out}, [&] { consort::segment_reduce(exec_, kind, messages, out); });
  }
  void edge_softmax(const EdgeScores& scores, std::span<float> weights) {
    issue("edge_softmax", {scores.receiver, scores.sender},
          [&] { consort::edge_softmax(exec_, scores, weights); });
  }

 private:
  template <typename Run>
  void issue(std::string_view op, std::initializer_list<TensorView> operands, Run&& run) {
    if (recorder_ == nullptr) {
      run();
      return;
    }
    const OpCall call{op, {operands.begin(), operands.size()}};
    recorder_->before(call);
    run();
    recorder_->after(call);
  }

  Exec& exec_;
  OpRecorder* recorder_;
};

}  // namespace consort
