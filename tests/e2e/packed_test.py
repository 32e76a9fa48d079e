#!/usr/bin/env python3
"""End to end: weights packed by an earlier start. The same bytes come out with and without them, whatever has happened to
the files, and the pool's sum over owners stays the resident memory.

Usage: packed_test.py PROGRAM SOURCE_DIR [unittest arguments]. The models of CONSORT_MODELS_DIR (default: the user's
cache) are linked into a folder of the test's own, so that nothing of the user's is touched.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

PROGRAM, SOURCE = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2])
SMOLLM, GEMMA, MINILM, BGE = "smollm2-135m-instruct", "gemma-3-270m", "all-minilm-l6-v2", "bge-small-en-v1.5"
TIMEOUT = 120


def user_models():
    cache = os.environ.get("XDG_CACHE_HOME", "") or os.path.expanduser("~/.cache")
    return pathlib.Path(os.environ.get("CONSORT_MODELS_DIR", "") or f"{cache}/consort/models")


class Packed(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="consort-packed-")
        self.path = pathlib.Path(self.folder.name)
        self.models = self.path / "models"
        self.models.mkdir()
        for model in (SMOLLM, GEMMA, MINILM, BGE):
            self.assertTrue((user_models() / model).is_dir(), f"consort models pull {model}")
            (self.models / model).symlink_to(user_models() / model)
        self.environment = dict(os.environ, CONSORT_DATA_DIR=str(self.path / "data"), NO_COLOR="1",
                                CONSORT_MODELS_DIR=str(self.models), XDG_CONFIG_HOME=str(self.path / "config"))

    def tearDown(self):
        self.folder.cleanup()

    def start(self, *arguments):
        return subprocess.Popen([PROGRAM, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, env=self.environment, cwd=self.path)

    def run_(self, *arguments, given=b""):
        process = self.start(*arguments)
        out, err = process.communicate(given, timeout=TIMEOUT)
        self.assertEqual(process.returncode, 0, f"{arguments}\n{out[-1000:]}\n{err[-2000:]}")
        return out, err

    def packed(self):
        folder = self.models / "packed"
        return sorted(folder.glob("*.packed")) if folder.is_dir() else []

    def logits(self, model, *more):
        """The bytes of the logits of every position of a few tokens."""
        ids, out = self.path / "ids.json", self.path / "logits.safetensors"
        ids.write_text("[[2, 504, 1903, 314, 2718, 28, 284], [1, 1000, 30000, 5]]")
        self.run_("logits", "--model", model, "--ids-file", ids, "--out", out, *more)
        return out.read_bytes()

    def test_logits_have_the_same_bits(self):
        for model in (SMOLLM, GEMMA):
            with self.subTest(model):
                plain = self.logits(model, "--packed-cache", "off")
                self.assertEqual([p for p in self.packed() if p.stat().st_size < 1e6], [])
                self.assertEqual(self.logits(model), plain, "packs and stores")
                count = len(self.packed())
                self.assertEqual(self.logits(model), plain, "maps")
                self.assertEqual(self.logits(model, "--threads", 1, "--packed-cache", "check"), plain)
                self.assertEqual(len(self.packed()), count)
        self.assertEqual(len(self.packed()), 2)

    def test_greedy_texts_are_the_same(self):
        """Greedy texts read the sketch of the output layer, which is packed too."""
        arguments = ("generate", "--model", GEMMA, "--prompt", "The sea is", "--raw", "--max-tokens", 24,
                     "--temperature", 0, "--ignore-eos")
        texts = [self.run_(*arguments, "--packed-cache", mode)[0] for mode in ("off", "on", "on")]
        self.assertEqual(texts, [texts[0]] * 3)
        (path,) = self.packed()
        self.assertIn(b"token_embd.weight", path.read_bytes()[:1 << 20])

    def test_embeddings_have_the_same_bits(self):
        given = b'{"text": "The sea is cold."}\n{"text": "A ship of old oak, and its crew."}\n'
        for model, more in ((MINILM, ()), (MINILM, ("--precision", "int16")), (BGE, ())):
            with self.subTest(f"{model} {more}"):
                embed = lambda mode: self.run_("embed", "--model", model, *more, "--packed-cache", mode, given=given)[0]
                plain = embed("off")
                before = len(self.packed())
                self.assertEqual(embed("on"), plain)
                self.assertEqual(len(self.packed()), before + 1)
                self.assertEqual(embed("on"), plain)

    def test_damaged_files_never_reach_the_numbers(self):
        plain = self.logits(SMOLLM, "--packed-cache", "off")
        self.logits(SMOLLM)
        (path,) = self.packed()
        good = path.stat().st_size
        for size in (0, 90, good // 2, good - 1, good + 1):
            with open(path, "r+b") as file:
                file.truncate(size)
            self.assertEqual(self.logits(SMOLLM), plain, size)
            self.assertEqual(path.stat().st_size, good)
        with open(path, "r+b") as file:  # an ordinary write into the middle
            file.seek(good // 2)
            file.write(b"\xff" * 1000)
        self.assertEqual(self.logits(SMOLLM), plain)
        # A write that puts the time back: a start believes it, `models verify` does not.
        times = path.stat()
        with open(path, "r+b") as file:
            file.seek(good // 2)
            file.write(b"\xff" * 1000)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        found = json.loads(self.run_("models", "verify", SMOLLM, "--json")[0])["packed"]
        self.assertEqual(found, {"good": 0, "removed": 1})
        self.assertEqual(self.packed(), [])
        self.assertEqual(self.logits(SMOLLM), plain)
        found = json.loads(self.run_("models", "verify", SMOLLM, "--json")[0])["packed"]
        self.assertEqual(found, {"good": 1, "removed": 0})

    def test_two_first_starts_at_once(self):
        arguments = ("generate", "--model", SMOLLM, "--prompt", "The sea", "--raw", "--max-tokens", 8, "--temperature", 0)
        plain = self.run_(*arguments, "--packed-cache", "off")[0]
        for _ in range(2):
            processes = [self.start(*arguments) for _ in range(3)]
            for process in processes:
                out, err = process.communicate(timeout=TIMEOUT)
                self.assertEqual((process.returncode, out), (0, plain), err)
        self.assertEqual(len(self.packed()), 1)
        self.assertEqual(list((self.models / "packed").glob("*.part")), [])

    def test_a_folder_that_cannot_be_written_is_a_warning(self):
        (self.models / "packed").write_text("a file where the folder should be")
        arguments = ("generate", "--model", SMOLLM, "--prompt", "The sea", "--raw", "--max-tokens", 2, "--temperature", 0)
        plain, quiet = self.run_(*arguments, "--packed-cache", "off")
        out, warned = self.run_(*arguments)
        self.assertEqual(out, plain)
        self.assertEqual(warned.count(b"--packed-cache off"), 1, warned)
        self.assertNotIn(b"--packed-cache off", quiet)
        self.assertNotIn(b"--packed-cache off", self.run_(*arguments, "--log-level", "error")[1])

    def test_a_mode_that_is_not_known(self):
        process = self.start("generate", "--model", SMOLLM, "--prompt", "x", "--packed-cache", "maybe")
        self.assertIn(b"--packed-cache", process.communicate(timeout=TIMEOUT)[1])
        self.assertEqual(process.returncode, 2)

    def test_the_owners_sum_is_the_resident_memory(self):
        document = self.path / "workflow.json"
        document.write_text(json.dumps({
            "document": {"dsl": "1.0.0", "namespace": "test", "name": "packed", "version": "1.0.0"},
            "do": [{model.split("-")[0]: {"call": "generate", "with": {
                "model": model, "prompt": "The sea", "maxTokens": 2, "temperature": 0}}}
                for model in (SMOLLM, GEMMA)]}))
        sums = []
        for mode in ("off", "on", "on"):
            self.run_("run", document, "--seed", 5, "--packed-cache", mode, "--stats", self.path / "stats.json")
            memory = json.loads((self.path / "stats.json").read_text())["memory"]
            self.assertEqual(memory["owners_sum"], sum(o["bytes"] for o in memory["owners"]))
            pool = sum(o["bytes"] for o in memory["owners"] if o["purpose"] not in ("blobs", "store"))
            self.assertEqual(pool, memory["pool_committed"])
            self.assertEqual(memory["resident_pool"], pool, memory)  # to the byte
            sums.append(memory["owners_sum"])
        self.assertAlmostEqual(sums[2] / sums[0], 1, delta=0.03)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
