#!/usr/bin/env python3
"""End to end: files and texts made to exhaust the program end in a clear error, in little time and memory.

Usage: hostile_test.py PROGRAM SOURCE_DIR [unittest arguments]. As consort_test.py.
"""
import io
import json
import pathlib
import resource
import struct
import sys
import time
import unittest
import zipfile
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from consort_test import MINILM, Case

MOST_SECONDS = 120  # of processor time these take 15 at most; the machine may be busy
EFFICIENTNET, GCN = "efficientnet-lite0", "gnn-gcn"
TORCH_MAGIC = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")


def png(width, height, pixels=b"\0\0"):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(pixels, 9)) + chunk(b"IEND", b"")


def jpeg(width, height):
    frame = struct.pack(">HBHHB", 11, 8, height, width, 1) + b"\x01\x11\x00"
    scan = struct.pack(">HB", 8, 1) + b"\x01\x00\x00\x3f\x00"
    return b"\xff\xd8\xff\xc0" + frame + b"\xff\xda" + scan + b"\x00" * 64 + b"\xff\xd9"


def webp(width, height):
    bits = (width - 1) | (height - 1) << 14
    data = b"\x2f" + struct.pack("<I", bits) + b"\0" * 32
    body = b"WEBPVP8L" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def torch_legacy(state):
    info = b"\x80\x02}(X\x0d\0\0\0little_endian\x88X\x10\0\0\0protocol_versionM\xe9\x03u."
    return TORCH_MAGIC + b"\x80\x02M\xe9\x03." + info + b"\x80\x02" + state + b".\x80\x02]."


class Bounded(Case):
    MOST_MEGABYTES = 700  # a picture of 96 million pixels, which is allowed, takes 500

    def setUp(self):
        super().setUp()
        self.begin = time.time()

    def tearDown(self):
        super().tearDown()
        most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
        self.assertLess(most, self.MOST_MEGABYTES, "megabytes of the largest process so far")
        self.assertLess(time.time() - self.begin, MOST_SECONDS)

    def file(self, name, data):
        (self.path / name).write_bytes(data)
        return self.path / name

    def clear(self, error, *words):
        text = json.dumps(error)
        self.assertRegex(error["type"], "urn:consort:error:(invalid|corrupt|unsupported)$", text)
        self.assertGreater(len(error["detail"]), 8)
        for word in words:
            self.assertRegex(text, word)


class Hostile(Bounded):
    def test_pictures_of_ten_billion_pixels(self):
        files = [self.file("a.png", png(100_000, 100_000)), self.file("b.png", png(2**31 - 1, 2**31 - 1)),
                 self.file("c.jpg", jpeg(65_500, 65_500)), self.file("d.webp", webp(16_383, 16_383)),
                 # 96 million grey pixels in 93 kB, and then not enough of them
                 self.file("e.png", png(12_000, 8_000, b"\0" * 90_000_000))]
        done = self.run_("classify", "--model", EFFICIENTNET, "--json", *files, expect=3)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(len(lines), len(files))
        for line in lines[:4]:
            self.clear(line["error"], "pixels")
        self.clear(lines[4]["error"])
        ingest = self.run_("memory", "ingest", self.path, "--images", "--namespace", "photos", "--json", expect=None)
        self.assertIn(b"a.png", ingest.stdout + ingest.stderr)

    def test_smiles_without_end(self):
        texts = ["C" * 90_000, "C" * 1_000_000, "(" * 50_000, "C(" * 20_000, "[" * 90_000, "C1" * 30_000, "C%99" * 20_000,
                 "[" + "9" * 80_000 + "C]", "c1ccccc1" * 400 + "@", "C/C=" * 20_000, "\0", "C\u0000C", "[C@@]" * 15_000]
        out = self.lines("embed", "--model", GCN, given=[{"smiles": t} for t in texts], expect=3)
        for line in out:
            self.clear(line["error"])

    def test_pickles_that_call_loop_or_grow(self):
        item = b"X\x01\0\0\0a"
        states = {
            "itself": b"}q\x00" + item + b"h\x00s",  # a dictionary that holds itself
            "list": b"}" + item + b"]q\x01h\x01as",
            "system": b"cos\nsystem\nX\x02\0\0\0id\x85R",
            "eval": b"c__builtin__\neval\nX\x01\0\0\x001\x85R",
            "doubling": b"}" + item + b"]q\x00" + b"".join(b"](h%ch%ceq%c" % (i, i, i + 1) for i in range(60)) + b"s",
            "endless": b"(" * 2_000_000,
            "long": b"\x8b\xff\xff\xff\x7f",
        }
        for name, state in states.items():
            path = self.file(name + ".pth", torch_legacy(state))
            for command in (("models", "inspect", path), ("classify", "--model", path, path)):
                self.clear(self.json_(*command, expect=3))

    def zipped(self, name, files, compression):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", compression) as z:
            for file, content in files:
                z.writestr(file, content)
        return self.file(name, out.getvalue())

    def test_zip_bombs(self):
        bomb = self.zipped("bomb.pt", [("archive/data.pkl", b"\x80\x02}."), ("archive/data/0", b"\0" * 300_000_000)],
                           zipfile.ZIP_DEFLATED)
        self.assertLess(bomb.stat().st_size, 1_000_000)
        self.clear(self.json_("models", "inspect", bomb, expect=3), "compressed")
        pickle = self.zipped("pickle.pt", [("archive/data.pkl", b"\x80\x02" + b"(" * 50_000_000 + b".")], zipfile.ZIP_DEFLATED)
        self.clear(self.json_("models", "inspect", pickle, expect=3), "compressed")
        cycle = self.zipped("cycle.pt", [("archive/data.pkl", b"\x80\x02}q\x00X\x01\0\0\0ah\x00s.")], zipfile.ZIP_STORED)
        self.clear(self.json_("models", "inspect", cycle, expect=3))
        storage = (b"\x80\x02}X\x01\0\0\0actorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\n"
                   b"X\x01\0\0\x000X\x03\0\0\0cpuJ\xff\xff\xff\x7ftQK\0J\xff\xff\xff\x7f\x85K\x01\x85\x89"
                   b"ccollections\nOrderedDict\n)RtRs.")
        short = self.zipped("short.pt", [("archive/data.pkl", storage), ("archive/data/0", b"\0" * 64)], zipfile.ZIP_STORED)
        self.clear(self.json_("models", "inspect", short, expect=3), "another size")
        nothing = self.file("cut.pt", bomb.read_bytes()[:2000])
        self.clear(self.json_("models", "inspect", nothing, expect=3))

    def test_weight_files_that_promise_too_much(self):
        huge = 2**62
        head = json.dumps({"a": {"dtype": "F32", "shape": [huge, 4], "data_offsets": [0, 16]}}).encode()
        files = [
            self.file("count.gguf", b"GGUF" + struct.pack("<IQQ", 3, huge, huge)),
            self.file("text.gguf", b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, huge)),
            self.file("head.safetensors", struct.pack("<Q", huge) + b"{}"),
            self.file("shape.safetensors", struct.pack("<Q", len(head)) + head + b"\0" * 16),
            self.file("deep.safetensors", struct.pack("<Q", 1_000_000) + b"[" * 1_000_000),
            self.file("length.onnx", b"\x08\x08\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
            self.file("nested.onnx", b"\x3a\x80\x80\x04" * 20_000),
        ]
        for path in files:
            self.clear(self.json_("models", "inspect", path, expect=3))

    def test_documents_and_tables(self):
        for name, text in {"deep.json": "[" * 2_000_000, "keys.json": '{"a":' * 500_000, "number.json": "9" * 3_000_000}.items():
            self.clear(self.json_("workflow", "validate", self.write(name, text), expect=3))
        self.write("open.csv", 'smiles,y\n"' + "C," * 5_000_000)
        found = self.json_("probe", "fit", "--model", GCN, "--data", "open.csv", "--input", "smiles", "--target", "y", "--out",
                           "p.safetensors", expect=3)
        self.clear(found, "not closed", "line 2")
        self.write("wide.csv", "," * 2_000_000 + "\n")
        self.clear(self.json_("probe", "fit", "--model", GCN, "--data", "wide.csv", "--input", "a", "--target", "b", "--out",
                              "p.safetensors", expect=3))

    def test_a_text_of_megabytes_is_cut_and_says_so(self):
        out = self.lines("embed", "--model", MINILM, given=[{"text": "x" * 3_000_000}, {"text": "a " * 1_000_000}])
        self.assertEqual([line.get("truncated") for line in out], [None, True])  # one word without end is one unknown token


class HostileGraphs(Bounded):
    MOST_MEGABYTES = 1500  # a line of 24 MB as values of JSON; the longest line that is read has 64 MiB

    def test_graphs_of_a_billion_nodes(self):
        big = 1_000_000_000
        graphs = [{"nodes": [[0, 0]], "edges": [[0, big]]}, {"nodes": [[0, 0]], "edges": [[0, 2**63 - 1]]},
                  {"nodes": [[0, 0]] * 1_100_000, "edges": []}, {"nodes": big, "edges": []},
                  {"x": [[0, 0]], "edge_index": [[0] * 5, [big] * 5]}, {"nodes": [[big, 0]], "edges": []},
                  {"nodes": [[0, 0]], "edges": [[0, 0]] * 3_000_000}]
        given = "".join(json.dumps({"graph": g}) + "\n" for g in graphs).encode()
        given += b'{"graph": {"nodes": [[1e308, 0]], "edges": []}}\n' + b'{"graph": ' + b"[" * 1_000_000 + b"\n"
        given += b'{"graph": {"nodes": [' + b"[1, 2], " * 25_000_000 + b"\n"  # 200 MB in one line
        out = self.lines("embed", "--model", GCN, given=given, expect=3)
        self.assertEqual(len(out), len(graphs) + 3)
        for line in out:
            self.clear(line["error"])
        self.clear(out[-1]["error"], "line of more than 64 MiB")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
