#!/usr/bin/env python3
"""Made the *.bin files here: random blocks of every block format and what the `gguf` package decodes them to.

Run in a virtual environment with `gguf` installed: make_golden.py OUT_DIR. Each file: u32 count of rows, u32
elements of a row, the packed rows, the decoded float32 values; little-endian.
"""
import pathlib
import struct
import sys

import gguf
import numpy

TYPES = ["F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"]
# Byte offsets of the float16 scales in a block: random bytes there could be NaN, which says nothing.
SCALES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
          "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}


def main():
    out = pathlib.Path(sys.argv[1])
    rng = numpy.random.default_rng(20240611)
    for name in TYPES:
        kind = gguf.GGMLQuantizationType[name]
        block, size = gguf.GGML_QUANT_SIZES[kind]
        rows, elements = 4, 512
        raw = rng.integers(0, 256, (rows, elements // block, size), dtype=numpy.uint8)
        for at in SCALES.get(name, []):
            scale = rng.standard_normal((rows, elements // block)) * 10.0 ** rng.integers(-7, 2, (rows, elements // block))
            raw[:, :, at:at + 2] = scale.astype(numpy.float16).reshape(rows, -1, 1).view(numpy.uint8)
        if name in ("F16", "BF16"):
            value = rng.standard_normal((rows, elements)) * 10.0 ** rng.integers(-7, 4, (rows, elements))
            if name == "F16":
                raw = value.astype(numpy.float16).view(numpy.uint8).reshape(rows, -1)
            else:
                raw = (value.astype(numpy.float32).view(numpy.uint32) >> 16).astype(numpy.uint16).view(numpy.uint8)
        raw = numpy.ascontiguousarray(raw).reshape(rows, -1)
        with numpy.errstate(all="ignore"):
            want = gguf.quants.dequantize(raw, kind).astype(numpy.float32).reshape(rows, elements)
        (out / f"{name.lower()}.bin").write_bytes(struct.pack("<II", rows, elements) + raw.tobytes() + want.tobytes())


if __name__ == "__main__":
    main()
