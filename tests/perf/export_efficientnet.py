#!/usr/bin/env python3
"""Writes EfficientNet-Lite0 as ONNX from the same checkpoint, batch norms folded, for a comparison with ONNX Runtime.

Usage: export_efficientnet.py efficientnet-lite0-57934424.pth lite0.onnx [--time]
Needs onnx and numpy; --time (onnxruntime) prints milliseconds a picture at batch 1 and 8 with two threads, to be read
beside `consort bench classify --model efficientnet-lite0` in turns."""
import pickle
import sys
import time
from collections import OrderedDict

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

BLOCKS = [(3, 1, 32, 16, 1), (3, 2, 16, 24, 6), (3, 1, 24, 24, 6), (5, 2, 24, 40, 6), (5, 1, 40, 40, 6), (3, 2, 40, 80, 6),
          (3, 1, 80, 80, 6), (3, 1, 80, 80, 6), (5, 1, 80, 112, 6), (5, 1, 112, 112, 6), (5, 1, 112, 112, 6),
          (5, 2, 112, 192, 6), (5, 1, 192, 192, 6), (5, 1, 192, 192, 6), (5, 1, 192, 192, 6), (3, 1, 192, 320, 6)]


def read_checkpoint(path):
    """The tensors of a checkpoint in torch's older format (pickles, then the storages) as numpy arrays."""
    storages, wanted = {}, {}

    class Reader(pickle.Unpickler):
        def find_class(self, module, name):
            if name == "OrderedDict":
                return OrderedDict
            if name == "_rebuild_tensor_v2":
                return lambda storage, offset, size, stride, *_: (storage, offset, tuple(size))
            return {"FloatStorage": np.float32, "LongStorage": np.int64}[name]

        def persistent_load(self, saved):
            _, kind, key, _, count, *_ = saved
            storages[key] = (kind, count)
            return key

    with open(path, "rb") as file:
        for _ in range(3):  # magic number, protocol, sizes of types
            pickle.Unpickler(file).load()
        wanted = Reader(file).load()
        arrays = {}
        for key in pickle.Unpickler(file).load():
            kind, count = storages[key]
            file.read(8)  # the count once more
            arrays[key] = np.frombuffer(file.read(count * np.dtype(kind).itemsize), kind)
    return {name: arrays[key][offset:offset + int(np.prod(size))].reshape(size)
            for name, (key, offset, size) in wanted.items()}


class Graph:
    def __init__(self, weights):
        self.weights, self.nodes, self.tensors = weights, [], []

    def add(self, name, array):
        self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(array, dtype=np.float32), name))
        return name

    def conv(self, x, name, norm, kernel, stride, groups, relu, size):
        w, bn = self.weights, norm
        gain = w[bn + ".weight"] / np.sqrt(w[bn + ".running_var"].astype(np.float64) + 1e-3)
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        before, after, out = total // 2, total - total // 2, name + ".out"
        self.nodes.append(helper.make_node(
            "Conv", [x, self.add(name, w[name] * gain[:, None, None, None]),
                     self.add(name + ".bias", w[bn + ".bias"] - w[bn + ".running_mean"] * gain)], [out],
            kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[before, before, after, after], group=groups))
        if relu:
            self.nodes.append(helper.make_node("Clip", [out, "zero", "six"], [out + ".relu6"]))
            out += ".relu6"
        return out


def build(weights):
    g = Graph(weights)
    g.add("zero", np.float32(0))
    g.add("six", np.float32(6))
    x, size = g.conv("x", "_conv_stem.weight", "_bn0", 3, 2, 1, True, 224), 112
    for i, (kernel, stride, inputs, outputs, expand) in enumerate(BLOCKS):
        p, y = f"_blocks.{i}.", x
        if expand > 1:
            y = g.conv(y, p + "_expand_conv.weight", p + "_bn0", 1, 1, 1, True, size)
        y = g.conv(y, p + "_depthwise_conv.weight", p + "_bn1", kernel, stride, inputs * expand, True, size)
        size //= stride
        y = g.conv(y, p + "_project_conv.weight", p + "_bn2", 1, 1, 1, False, size)
        if stride == 1 and inputs == outputs:
            g.nodes.append(helper.make_node("Add", [x, y], [p + "sum"]))
            y = p + "sum"
        x = y
    x = g.conv(x, "_conv_head.weight", "_bn1", 1, 1, 1, True, 7)
    g.nodes += [helper.make_node("GlobalAveragePool", [x], ["pooled"]), helper.make_node("Flatten", ["pooled"], ["features"]),
                helper.make_node("Gemm", ["features", g.add("fc", weights["_fc.weight"]), g.add("fc.bias", weights["_fc.bias"])],
                                 ["logits"], transB=1)]
    value = lambda name, dims: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *dims])
    graph = helper.make_graph(g.nodes, "efficientnet-lite0", [value("x", [3, 224, 224])],
                              [value("logits", [1000]), value("features", [1280])], g.tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def main():
    weights = read_checkpoint(sys.argv[1])
    onnx.save(build(weights), sys.argv[2])
    if "--time" not in sys.argv:
        return
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(sys.argv[2], options, providers=["CPUExecutionProvider"])
    for n in (1, 8):
        x = np.random.default_rng(0).standard_normal((n, 3, 224, 224), dtype=np.float32)
        times = []
        for _ in range(5 + 40 // n):
            start = time.perf_counter()
            session.run(["logits"], {"x": x})
            times.append((time.perf_counter() - start) * 1e3 / n)
        print(f"onnxruntime batch {n}: median {np.median(times):.2f}, least {min(times):.2f} ms a picture")


if __name__ == "__main__":
    main()
