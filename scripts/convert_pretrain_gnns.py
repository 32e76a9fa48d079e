#!/usr/bin/env python3
"""Converts the checkpoints of snap-stanford/pretrain-gnns (chem/model_architecture/*.pth) to safetensors.

Usage: convert_pretrain_gnns.py FOLDER_WITH_PTH OUT_FOLDER

The files are legacy torch pickles. They are read with an unpickler that knows four names and builds nothing but
lists of numbers; values are copied bit for bit. num_batches_tracked is left out (nothing reads it).
"""
import collections
import io
import json
import pathlib
import pickle
import struct
import sys

COMMIT = "8b20528a83b8869ce16451305b32c827258d19a3"
KINDS = {"gcn": "gcn", "graphsage": "graphsage", "gat": "gat"}
ITEM = {"FloatStorage": 4, "LongStorage": 8}


class Tensors(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if module == "torch" and name in ITEM:
            return name
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, size, stride, *unused: (storage, offset, size, stride)
        raise pickle.UnpicklingError(f"the file asks for {module}.{name}")

    def persistent_load(self, saved):
        kind, storage_type, key, _location, count, _view = saved
        assert kind == "storage"
        return storage_type, key, count


def read(path):
    data = io.BytesIO(path.read_bytes())
    assert Tensors(data).load() == 0x1950A86A20F9469CFC6C and Tensors(data).load() == 1001
    assert Tensors(data).load()["little_endian"]
    state, keys = Tensors(data).load(), Tensors(data).load()
    expected = {t[0][1]: t[0] for t in state.values()}
    stored = {}
    for key in keys:
        (count,) = struct.unpack("<q", data.read(8))
        storage_type, _, wanted = expected[key]
        assert count == wanted
        stored[key] = data.read(count * ITEM[storage_type])
    assert data.read() == b""
    for name, ((storage_type, key, count), offset, size, stride) in state.items():
        if storage_type != "FloatStorage":
            assert name.endswith("num_batches_tracked")
            continue
        contiguous, step = [], 1
        for n in reversed(size):
            contiguous.insert(0, step)
            step *= n
        assert offset == 0 and step == count and list(stride) == contiguous
        yield name, list(size), stored[key]


def write(path, tensors, metadata):
    header, at = {"__metadata__": metadata}, 0
    for name, size, data in tensors:
        header[name] = {"dtype": "F32", "shape": size, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % 64)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in tensors))


def main():
    source, out = map(pathlib.Path, sys.argv[1:3])
    for path in sorted(source.glob("*.pth")):
        metadata = {
            "model_type": "gnn",
            "gnn.layout": "pretrain-gnns",
            "gnn.kind": KINDS[path.stem.split("_")[0]],
            "source": f"github snap-stanford/pretrain-gnns, chem/model_architecture/{path.name}, commit {COMMIT}",
            "licence": "MIT",
        }
        write(out / (path.stem + ".safetensors"), list(read(path)), metadata)


if __name__ == "__main__":
    main()
