#!/usr/bin/env python3
"""ONNX Runtime over an encoder, behind a pipe (compare_encoders starts it in the peer's environment).

Usage: encoder_peer.py KIND MODEL_FOLDER THREADS TEXTS [BATCH]; KIND: minilm | bge | rerank | colbert | pictures.
Prints one JSON line when it is ready (the batch size that was fastest, or BATCH; what each took), then one for each line
read. "run": {"wall_ms", "processor_ms"} of a pass over all items. "results N": what comes out for the first N texts, a list
of rows for each. "reference N": the same in float32 arithmetic, for an int8 file over its dequantised weights.

The float model is written from model.safetensors with ONNX Runtime's own fused operators (attention, skip layer norm,
bias and GELU), the form that its transformer optimiser makes; the int8 models are the catalogue's files as they are."""
import json
import struct
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime

QUERY = "where does the keeper of the light live"  # of `consort bench rerank`
BATCHES = (1, 2, 4, 8, 16, 32)


def read_safetensors(path):
    data = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    out = {}
    for name, entry in json.loads(data[8:8 + length]).items():
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue
        begin, end = entry["data_offsets"]
        out[name] = np.frombuffer(data[8 + length + begin:8 + length + end], np.float32).reshape(entry["shape"])
    return out


def build_bert(weights, config):
    """BERT of float weights: inputs ids and mask int32 [b, t], output the last states [b, t, width]."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    nodes, tensors = [], []

    def add(name, array):
        tensors.append(numpy_helper.from_array(np.ascontiguousarray(array, dtype=np.float32), name))
        return name

    def node(kind, inputs, outputs, domain="com.microsoft", **attributes):
        nodes.append(helper.make_node(kind, inputs, outputs, domain=domain, **attributes))
        return outputs[0]

    w, eps = weights, config["layer_norm_eps"]
    e = "embeddings."
    position = w[e + "position_embeddings.weight"] + w[e + "token_type_embeddings.weight"][0]
    node("EmbedLayerNormalization",
         ["ids", "", add("words", w[e + "word_embeddings.weight"]), add("positions", position), "",
          add("norm", w[e + "LayerNorm.weight"]), add("norm.bias", w[e + "LayerNorm.bias"]), "mask"],
         ["x", "lengths"], epsilon=eps)
    x = "x"
    for i in range(config["num_hidden_layers"]):
        p = f"encoder.layer.{i}."
        self_names = [p + f"attention.self.{part}" for part in ("query", "key", "value")]
        qkv = add(p + "qkv", np.concatenate([w[n + ".weight"].T for n in self_names], axis=1))
        qkv_bias = add(p + "qkv.bias", np.concatenate([w[n + ".bias"] for n in self_names]))
        attended = node("Attention", [x, qkv, qkv_bias, "lengths"], [p + "a"], num_heads=config["num_attention_heads"])

        def product(of, name):
            return node("MatMul", [of, add(p + name, w[p + name + ".weight"].T)], [p + name + ".out"], domain="")

        def norm(of, skip, name, bias):
            return node("SkipLayerNormalization",
                        [of, skip, add(p + name, w[p + name + ".weight"]), add(p + name + ".b", w[p + name + ".bias"]),
                         add(p + name + ".skip", w[p + bias + ".bias"])], [p + name + ".y"], epsilon=eps)

        x = norm(product(attended, "attention.output.dense"), x, "attention.output.LayerNorm", "attention.output.dense")
        up = node("BiasGelu", [product(x, "intermediate.dense"), add(p + "up.bias", w[p + "intermediate.dense.bias"])],
                  [p + "gelu"])
        x = norm(product(up, "output.dense"), x, "output.LayerNorm", "output.dense")
    ints = lambda name: helper.make_tensor_value_info(name, TensorProto.INT32, ["b", "t"])
    out = helper.make_tensor_value_info(x, TensorProto.FLOAT, ["b", "t", config["hidden_size"]])
    graph = helper.make_graph(nodes, "bert", [ints("ids"), ints("mask")], [out], tensors)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def dequantised(path):
    """An int8 file with its products in float32: activations as they are, weights times nothing (their scales follow in the
    file's own graph, where the scale of the activations becomes one)."""
    import onnx
    from onnx import helper, numpy_helper
    model = onnx.load(path)
    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    nodes, added = [], {}
    for node in graph.node:
        if node.op_type == "DynamicQuantizeLinear":
            nodes.append(helper.make_node("Identity", [node.input[0]], [node.output[0]]))
            added[node.output[1]] = np.float32(1)
        elif node.op_type == "MatMulInteger":
            weights, zero = (numpy_helper.to_array(stored[node.input[i]]).astype(np.float32) for i in (1, 3))
            name = node.input[1] + ".float"
            added[name] = weights - zero
            nodes.append(helper.make_node("MatMul", [node.input[0], name], list(node.output)))
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    graph.initializer.extend(numpy_helper.from_array(np.asarray(array), name) for name, array in added.items())
    return model.SerializeToString()


def session_of(model, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class Texts:
    """Token ids are made beforehand and not part of the time; batches are sorted by length, padded to the longest."""

    def __init__(self, kind, folder, threads, lines):
        from tokenizers import Tokenizer
        folder = Path(folder)
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.enable_truncation(256 if kind == "minilm" else 512)
        self.kind, self.threads = kind, threads
        self.encoded = [tokenizer.encode(QUERY, line) if kind == "rerank" else tokenizer.encode(line) for line in lines]
        self.order = sorted(range(len(lines)), key=lambda i: -len(self.encoded[i].ids))
        if kind == "minilm":
            config = json.loads((folder / "config.json").read_text())
            self.model = build_bert(read_safetensors(folder / "model.safetensors"), config)
        else:
            self.model = str(folder / "model.onnx")
        self.session = session_of(self.model, threads)

    def feed(self, indices):
        """The inputs of a batch of texts, longest first, and its mask."""
        some = [self.encoded[i] for i in indices]
        shape = (len(some), len(some[0].ids))
        ids, types, mask = (np.zeros(shape, np.int64) for _ in range(3))
        for row, text in enumerate(some):
            n = len(text.ids)
            ids[row, :n], types[row, :n], mask[row, :n] = text.ids, text.type_ids, 1
        if self.kind == "minilm":
            return {"ids": ids.astype(np.int32), "mask": mask.astype(np.int32)}, mask
        return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}, mask

    def prepare(self, size):
        self.batches = [self.feed(self.order[begin:begin + size]) for begin in range(0, len(self.order), size)]

    def answer(self, session, feed, mask):
        """Logits [b, 1], embeddings [b, width], or for colbert the states [b, t, width]."""
        out = session.run([session.get_outputs()[0].name], feed)[0]
        if self.kind in ("rerank", "colbert"):
            return out
        if self.kind == "minilm":
            out = (out * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
        else:
            out = out[:, 0]
        return out / np.linalg.norm(out, axis=1, keepdims=True)

    def run(self):
        for feed, mask in self.batches:
            self.answer(self.session, feed, mask)

    def results(self, count, reference):
        session = self.session
        if reference and self.kind != "minilm":
            session = session_of(dequantised(self.model), self.threads)
        rows = [self.answer(session, *self.feed([i]))[0] for i in range(count)]
        return [row.reshape(-1, row.shape[-1]).tolist() for row in rows]


class Pictures:
    """Random pixels of the size of the network: decoding and resizing are not part (with --bench they are in Consort's figure)."""

    def __init__(self, folder, threads, count):
        import export_efficientnet
        checkpoint = next(Path(folder).glob("*.pth"))
        model = export_efficientnet.build(export_efficientnet.read_checkpoint(checkpoint)).SerializeToString()
        self.session = session_of(model, threads)
        self.pixels = np.random.default_rng(0).standard_normal((count, 3, 224, 224), dtype=np.float32)

    def prepare(self, size):
        self.batches = [self.pixels[i:i + size] for i in range(0, len(self.pixels), size)]

    def run(self):
        for batch in self.batches:
            self.session.run(["logits"], {"x": batch})


def timed(side):
    wall, processor = time.perf_counter(), time.process_time()
    side.run()
    return {"wall_ms": (time.perf_counter() - wall) * 1e3, "processor_ms": (time.process_time() - processor) * 1e3}


def main():
    kind, folder, threads, texts = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    lines = [line for line in Path(texts).read_text().split("\n") if line]
    side = Pictures(folder, threads, 32) if kind == "pictures" else Texts(kind, folder, threads, lines)
    tried = {}
    for size in [int(sys.argv[5])] if len(sys.argv) > 5 else BATCHES:
        side.prepare(size)
        side.run()
        tried[size] = min((timed(side) for _ in range(2)), key=lambda t: t["wall_ms"])
    best = min(tried, key=lambda size: tried[size]["wall_ms"])
    side.prepare(best)
    print(json.dumps({"batch": best, "tried": tried, "version": onnxruntime.__version__}), flush=True)
    for line in sys.stdin:
        what, *count = line.split()
        answer = timed(side) if what == "run" else side.results(int(count[0]), what == "reference")
        print(json.dumps(answer), flush=True)


main()
