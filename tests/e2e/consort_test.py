#!/usr/bin/env python3
"""End to end: the program as users and scripts call it, against the command line contract.

Usage: consort_test.py PROGRAM SOURCE_DIR [unittest arguments]. Every test has a data directory of its own; models
are those of CONSORT_MODELS_DIR (default: the user's cache), and a missing one is a failure.
"""
import json
import math
import os
import pathlib
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM, SOURCE = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2])
GOLDEN = SOURCE / "tests/golden/data"
SMOLLM, GEMMA, MINILM = "smollm2-135m-instruct", "gemma-3-270m", "all-minilm-l6-v2"
TIMEOUT = 120


def rows(name):
    return [json.loads(line) for line in (GOLDEN / name).read_text().splitlines()]


def safetensors(path):
    data = pathlib.Path(path).read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    head = json.loads(data[8:8 + size])
    out = {}
    for name, t in head.items():
        if name == "__metadata__":
            continue
        begin, end = t["data_offsets"]
        kind = {"F32": "f", "I32": "i"}[t["dtype"]]
        out[name] = (t["shape"], struct.unpack(f"<{(end - begin) // 4}{kind}", data[8 + size + begin:8 + size + end]))
    return out


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="consort-e2e-")
        self.path = pathlib.Path(self.folder.name)
        self.environment = dict(os.environ, CONSORT_DATA_DIR=str(self.path / "data"), NO_COLOR="1",
                                XDG_CONFIG_HOME=str(self.path / "config"))

    def tearDown(self):
        self.folder.cleanup()

    def start(self, *arguments, **more):
        return subprocess.Popen([PROGRAM, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, env=self.environment, cwd=self.path, **more)

    def run_(self, *arguments, expect=0, given=b""):
        done = subprocess.run([PROGRAM, *map(str, arguments)], input=given, capture_output=True, timeout=TIMEOUT,
                              env=self.environment, cwd=self.path)
        if expect is not None:
            self.assertEqual(done.returncode, expect, f"{arguments}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        return done

    def json_(self, *arguments, expect=0, given=b""):
        done = self.run_(*arguments, "--json", expect=expect, given=given)
        return json.loads(done.stdout)

    def problem(self, *arguments, expect, kind, given=b""):
        found = self.json_(*arguments, expect=expect, given=given)
        self.assertEqual(found["type"], f"urn:consort:error:{kind}", found)
        self.assertTrue(found["title"] and found.get("detail", found["title"]), found)
        return found

    def lines(self, *arguments, given, expect=0):
        text = given if isinstance(given, bytes) else "".join(json.dumps(g) + "\n" for g in given).encode()
        done = self.run_(*arguments, given=text, expect=expect)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def write(self, name, content):
        path = self.path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    def workflow(self, tasks, name="test", **more):
        head = {"dsl": "1.0.0", "namespace": "e2e", "name": name, "version": "1.0.0"}
        return self.write(name + ".json", {"document": head, "do": tasks, **more})


class Errors(Case):
    def test_usage(self):
        for wrong in (["nosuch"], ["generate"], ["version", "--nosuch"], ["generate", "--model", SMOLLM],
                      ["generate", "--model", SMOLLM, "--prompt", "x", "--max-tokens", "many"], []):
            done = self.run_(*wrong, expect=2)
            self.assertEqual(done.stdout, b"", wrong)
            self.assertTrue(done.stderr.startswith(b"consort: "), done.stderr)
        self.problem("nosuch", expect=2, kind="usage")
        self.problem("version", "--nosuch", expect=2, kind="usage")

    def test_help(self):
        self.assertEqual(self.run_("help", "generate").stdout, self.run_("generate", "--help").stdout)
        self.assertIn(b"--max-tokens", self.run_("help", "generate").stdout)

    def test_missing_things(self):
        done = self.run_("generate", "--model", "no-such-model", "--prompt", "x", expect=4)
        self.assertEqual(done.stdout, b"")
        self.assertRegex(done.stderr.decode(), r"^consort: .+ \(.+\): .+")
        self.problem("generate", "--model", "no-such-model", "--prompt", "x", expect=4, kind="notFound")
        self.problem("generate", "--model", SMOLLM, "--prompt-file", "no-such-file", expect=4, kind="notFound")
        self.problem("run", "no-such-file.json", expect=4, kind="notFound")
        self.problem("runs", "show", "no-such-run", expect=4, kind="notFound")

    def test_broken_model_file(self):
        self.write("broken.gguf", "GGUF but not really")
        found = self.json_("generate", "--model", self.path / "broken.gguf", "--prompt", "x", expect=3)
        self.assertIn(found["type"], [f"urn:consort:error:{kind}" for kind in ("corrupt", "invalid", "unsupported")])

    def test_prompt_beyond_the_context(self):
        self.write("long.txt", "one two three four five six seven eight " * 3000)
        found = self.problem("generate", "--model", SMOLLM, "--raw", "--prompt-file", "long.txt", expect=3,
                             kind="invalid")
        self.assertRegex(json.dumps(found), "context|tokens")


class Documents(Case):
    def test_findings_have_pointers(self):
        path = self.workflow([{"a": {"set": {"x": "${ .x + }"}}}, {"b": {"call": "nosuch"}}, {"c": {"colour": 1}}])
        found = self.json_("workflow", "validate", path, expect=3)
        pointers = {f["pointer"] for f in found["findings"]}
        self.assertTrue({"/do/0/a/set/x", "/do/1/b/call", "/do/2/c/colour"} <= pointers, pointers)
        self.assertEqual(self.run_("run", path, "--json", expect=3).stdout.count(b"\n"), 1)

    def test_broken_json(self):
        path = self.write("broken.json", '{"document": {"dsl": "1.0.0", "dsl": 2}}')
        for command in (("run",), ("workflow", "validate")):
            self.json_(*command, path, expect=3)

    def test_graph_and_schema(self):
        path = self.workflow([{"first": {"set": {"x": 1}}}, {"second": {"wait": "PT1S"}}])
        self.assertIn(b"flowchart TD", self.run_("workflow", "graph", path).stdout)
        self.assertIn(b"</svg>", self.run_("workflow", "graph", path, "--format", "svg").stdout)
        printed = json.loads(self.run_("workflow", "schema").stdout)
        shipped = json.loads((SOURCE / "configs/schemas/workflow.json").read_text())
        self.assertEqual(printed, shipped, "configs/schemas/workflow.json: write it again with `consort workflow schema`")


class Text(Case):
    def test_tokenize_there_and_back(self):
        texts = ["The sea is calm.", "  naïve — 東京 🌊\n\tend", ""]
        ids = self.lines("tokenize", "--model", SMOLLM, given=[{"text": t} for t in texts])
        back = self.lines("tokenize", "--model", SMOLLM, "--detokenize", given=ids)
        self.assertEqual([b["text"] for b in back], texts)

    def test_a_broken_line_fails_alone(self):
        given = b'{"text": "one"}\nnot json\n{"nothing": 1}\n{"text": "\xff\xfe"}\n{"text": "two"}\n'
        out = self.lines("tokenize", "--model", SMOLLM, given=given, expect=3)
        self.assertEqual([("ids" in o, "error" in o) for o in out],
                         [(True, False), (False, True), (False, True), (False, True), (True, False)])
        self.assertTrue(out[1]["error"]["type"].startswith("urn:consort:error:"))

    def test_bytes_that_are_not_utf8(self):
        ids = self.lines("tokenize", "--model", SMOLLM, given=[{"text": "🌊"}])[0]["ids"]
        self.assertGreater(len(ids), 1)
        cut = self.lines("tokenize", "--model", SMOLLM, "--detokenize", given=[{"ids": ids[:-1]}])[0]
        self.assertIn("\ufffd", cut["text"])
        self.assertIn("bytes_base64", cut)

    def test_render(self):
        golden = rows("smollm2-135m-instruct.greedy.jsonl")[0]["prompt_ids"]
        text = self.lines("tokenize", "--model", SMOLLM, "--detokenize", given=[{"ids": golden}])[0]["text"]
        system, user = text.split("<|im_end|>\n<|im_start|>user\n")
        messages = [{"role": "system", "content": system.split("system\n")[1]},
                    {"role": "user", "content": user.split("<|im_end|>")[0]}]
        out = self.lines("render", "--model", SMOLLM, given=[{"messages": messages, "add_generation_prompt": True},
                                                             {"messages": "no"}], expect=3)
        self.assertEqual(out[0]["ids"], golden)
        self.assertEqual(out[0]["prompt"], text)
        self.assertIn("error", out[1])


class Generate(Case):
    def prompt_of(self, model, row):
        return self.lines("tokenize", "--model", model, "--detokenize", given=[{"ids": row["prompt_ids"]}])[0]["text"]

    def greedy(self, model, row, *more, tokens=24):
        (self.path / "prompt.txt").write_bytes(self.prompt_of(model, row).encode())
        return self.json_("generate", "--model", model, "--raw", "--prompt-file", "prompt.txt", "--temperature", 0,
                          "--ignore-eos", "--max-tokens", tokens, *more)

    def test_greedy_gives_the_recorded_ids(self):
        row = rows("smollm2-135m-instruct.greedy.jsonl")[0]
        out = self.greedy(SMOLLM, row)
        self.assertEqual(out["usage"]["prompt_tokens"], len(row["prompt_ids"]))
        for i, (a, b) in enumerate(zip(out["token_ids"], row["ids"])):
            if a != b:  # a near tie of the reference may fall either way
                self.assertLess(row["gap"][i], 0.15, f"token {i}: {a} instead of {b}")
                break
        self.assertEqual(out["finish_reason"], "length")
        self.assertEqual(len(out["token_ids"]), 24)
        self.assertTrue({"load_ms", "prefill_ms", "decode_ms"} <= out["timings"].keys())

    def test_threads_and_instruction_sets_do_not_change_the_text(self):
        row = rows("smollm2-135m-instruct.greedy.jsonl")[1]
        one = self.greedy(SMOLLM, row, "--threads", 1, tokens=12)
        self.assertEqual(one["token_ids"], self.greedy(SMOLLM, row, "--threads", 2, tokens=12)["token_ids"])
        self.assertEqual(one["token_ids"], self.greedy(SMOLLM, row, "--isa", "avx2", tokens=12)["token_ids"])

    def test_a_seed_decides(self):
        def text(seed):
            return self.json_("generate", "--model", SMOLLM, "--prompt", "Tell me of the sea.", "--max-tokens", 16,
                              "--temperature", 1, "--seed", seed)["text"]
        self.assertEqual(text(7), text(7))
        self.assertNotEqual(text(7), text(8))

    def test_a_node_in_a_second_process_gives_the_same_tokens(self):
        address = f"ipc://{self.path}/bus"
        arguments = ("generate", "--model", SMOLLM, "--raw", "--prompt", "The sea", "--max-tokens", 12,
                     "--temperature", 1, "--seed", 5)
        here = self.json_(*arguments)
        node = self.start("node", "--join", address, "--models", SMOLLM)
        try:
            there = self.json_(*arguments, "--bus", address)
        finally:
            node.send_signal(signal.SIGTERM)
            node.communicate(timeout=30)
        self.assertEqual(there["token_ids"], here["token_ids"])

    def test_interrupt(self):
        run = self.start("generate", "--model", SMOLLM, "--raw", "--prompt", "The sea", "--max-tokens", 4000,
                         "--temperature", 0, "--ignore-eos", "--json")
        time.sleep(3)
        run.send_signal(signal.SIGINT)
        begin = time.time()
        out, err = run.communicate(timeout=30)
        self.assertEqual(run.returncode, 130, err)
        self.assertLess(time.time() - begin, 5)
        self.assertEqual(len(out.splitlines()), 1)
        partial = json.loads(out)
        self.assertEqual(partial["finish_reason"], "cancelled")
        self.assertGreater(len(partial["token_ids"]), 10)
        self.assertEqual(partial["usage"]["completion_tokens"], len(partial["token_ids"]))


class Numbers(Case):
    def test_score(self):
        for model in (SMOLLM, GEMMA):
            golden = json.loads((GOLDEN / f"{model}.nll.json").read_text())["texts"]["code"]
            out = self.json_("score", "--model", model, "--file", GOLDEN / "text_code.txt", "--context", 1024)
            self.assertEqual((out["tokens"], out["scored_tokens"], out["bytes"]),
                             (golden["tokens"], golden["scored_tokens"], golden["scored_bytes"]))
            self.assertAlmostEqual(out["bits_per_byte"], golden["bits_per_byte"], delta=1e-3)

    def test_embed(self):
        texts = ["The ferry leaves at nine.", "The boat departs at 9 o'clock.", "Bread is baked at night."]
        out = [o["embedding"] for o in self.lines("embed", "--model", MINILM, given=[{"text": t} for t in texts])]
        dot = lambda a, b: sum(x * y for x, y in zip(a, b))
        self.assertEqual({len(v) for v in out}, {384})
        for v in out:
            self.assertAlmostEqual(dot(v, v), 1, delta=1e-4)
        self.assertGreater(dot(out[0], out[1]), dot(out[0], out[2]) + 0.3)

    def test_activations(self):
        # Each arithmetic has its own numbers, near the others', and does not depend on instruction sets or threads.
        self.write("ids.json", [[1, 504, 3426, 284, 260, 20933, 28]])
        last = {}
        for kind in ("int16", "int8", "bf16", "float32"):
            outs = []
            for more in (("--threads", 1), ("--threads", 2, "--isa", "avx2")):
                self.run_("logits", "--model", SMOLLM, "--ids-file", "ids.json", "--out", "out.safetensors", "--activations",
                          kind, *more)
                outs.append(safetensors(self.path / "out.safetensors")["0.last"][1])
            self.assertEqual(*outs, kind)
            last[kind] = outs[0]
        worst = {kind: max(abs(a - b) for a, b in zip(last[kind], last["float32"])) for kind in last}
        self.assertLess(worst["int16"], 0.05)
        self.assertLess(worst["int16"] * 3, worst["bf16"])
        self.assertLess(worst["bf16"], worst["int8"])
        self.assertLess(worst["int8"], 5)
        done = self.run_("logits", "--model", SMOLLM, "--ids-file", "ids.json", "--out", "o", "--activations", "int4",
                         expect=2)
        self.assertIn(b"use --activations int16, int8, bf16 or float32", done.stderr)

    def test_logits(self):
        prompts = [[1, 504, 3426], [1, 19161]]
        self.write("ids.json", prompts)
        self.run_("logits", "--model", SMOLLM, "--ids-file", "ids.json", "--out", "out.safetensors", "--top", 8)
        t = safetensors(self.path / "out.safetensors")
        for i, ids in enumerate(prompts):
            self.assertEqual(t[f"{i}.top_ids"][0], [len(ids), 8])
            shape, last = t[f"{i}.last"]
            best = max(range(len(last)), key=lambda k: (last[k], -k))
            self.assertEqual(t[f"{i}.top_ids"][1][-8], best)
            self.assertEqual(t[f"{i}.top_logits"][1][-8], last[best])
            top = last[best]
            total = top + math.log(sum(math.exp(x - top) for x in last))
            self.assertAlmostEqual(t[f"{i}.logsumexp"][1][-1], total, delta=1e-3)


class Memory(Case):
    def test_ingest_and_search(self):
        notes = self.path / "notes"
        notes.mkdir()
        for name, text in {"ferry": "The ferry leaves the north pier at nine.", "bread": "The bakery bakes rye bread.",
                           "light": "The lighthouse keeper paints the tower."}.items():
            (notes / f"{name}.md").write_text(text)
        first = self.json_("memory", "ingest", notes, "--namespace", "island")
        self.assertEqual((first["files"], first["created"]), (3, 3))
        self.assertEqual(self.json_("memory", "ingest", notes, "--namespace", "island")["unchanged"], 3)
        found = self.json_("memory", "search", "When does the ferry leave the pier?", "--namespace", "island")
        self.assertIn("ferry", found["hits"][0]["text"])
        self.json_("memory", "stats")
        self.json_("memory", "check")
        self.json_("memory", "search", "x", "--namespace", "nosuch", expect=4)


class Benches(Case):
    def test_speed_against_rows(self):
        out = self.json_("bench", "rows", "--prompt-tokens", 6, "--sequences", 3, "--rounds", 1, "--quiet")
        self.assertEqual([r["rows"] for r in out["prompts"]], [1, 2, 3, 4, 6])
        self.assertEqual([r["rows"] for r in out["sequences"]], [1, 2, 3])
        for row in out["prompts"] + out["sequences"]:
            self.assertTrue(0 < row["min"] <= row["tokens_per_s"] <= row["max"], row)
            self.assertTrue(0 < row["share"] and row["bound"] in ("memory", "int16"), row)
        for worst in out["worst_step"].values():
            self.assertTrue(0 < worst <= 1, out["worst_step"])

    def test_a_result_is_a_share_of_its_roof(self):
        roof = self.json_("bench", "prefill", "--prompt-tokens", 64, "--rounds", 1, "--quiet")["roof"]
        for rate in ("dram_read_gbs", "l3_read_gbs", "cache_read_gbs", "f32_gflops", "int16_gops", "int8_gops"):
            self.assertGreater(roof[rate], 0, rate)
        self.assertEqual(roof["bound"], "int16")
        self.assertGreater(roof["share"], 0)


class Gaps(Case):
    def test_a_conversation_beside_an_ingestion(self):
        out = self.json_("bench", "gaps", "--items", 150, "--rounds", 1, "--tokens", 24, "--quiet")
        self.assertEqual((out["name"], out["model"], out["encoder"], out["rounds"]), ("gaps", SMOLLM, MINILM, 1))
        self.assertEqual((out["texts_found"], out["ingestion_beside"]["texts"]), (150, 150))
        self.assertEqual((out["answers_equal"], out["vectors_equal"]), (True, True))
        self.assertTrue(20 <= out["ingestion_beside"]["tokens_of_a_text"] <= 120, out)
        for part in (out["idle"], out["busy"]):
            self.assertGreater(part["gaps"], 1)
            self.assertTrue(0 < part["gap_ms_median"] <= part["gap_ms_p95"] <= part["gap_ms_p99"]
                            <= part["gap_ms_max"], part)
        self.assertAlmostEqual(out["ratio"], out["busy"]["gap_ms_p99"] / out["idle"]["gap_ms_p99"], places=9)
        self.assertAlmostEqual(out["ratio_to_idle_median"],
                               out["busy"]["gap_ms_p99"] / out["idle"]["gap_ms_median"], places=9)
        for speed in (out["ingestion_alone"], out["ingestion_beside"]):
            self.assertGreater(speed["texts_per_s"], 0)
        self.assertEqual(list((self.path / "data").iterdir()), [])  # its store is gone

    def test_interrupt(self):
        run = self.start("bench", "gaps", "--json", "--quiet")
        time.sleep(6)
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=60)
        self.assertEqual(run.returncode, 130, err)
        self.assertEqual(json.loads(out)["type"], "urn:consort:error:cancelled")
        self.assertEqual(list((self.path / "data").iterdir()), [])


class Runs(Case):
    def test_run_is_stored(self):
        path = self.workflow([{"add": {"set": {"n": "${ .n + 1 }"}}}, {"again": {"set": {"n": "${ .n * 2 }"}}}])
        out = self.json_("run", path, "--input", "n:=20", "--run-id", "sum")
        self.assertEqual((out["run_id"], out["status"], out["output"]), ("sum", "completed", {"n": 42}))
        self.assertEqual([r["run_id"] for r in self.json_("runs", "list")], ["sum"])
        self.assertEqual(self.json_("runs", "show", "sum")["output"], {"n": 42})
        events = self.lines("runs", "events", "sum", given=b"")
        self.assertEqual([e["sequence_number"] for e in events], list(range(1, len(events) + 1)))

    def test_raise_fails_with_its_pointer(self):
        path = self.workflow([{"no": {"raise": {"error": {"type": "validation", "title": "not so", "status": 400}}}}])
        done = self.run_("run", path, "--json", expect=5)
        self.assertIn(b"/do/0/no", done.stdout)

    def test_interrupted_run_goes_on(self):
        path = self.workflow([{"first": {"set": {"x": 1}}}, {"rest": {"wait": {"seconds": 6}}},
                              {"last": {"set": {"x": "${ .x + 1 }"}}}])
        run = self.start("run", path, "--run-id", "slow", "--json")
        time.sleep(2)
        other = self.run_("runs", "list", expect=4) if run.poll() is None else None
        self.assertIsNotNone(other, "the run ended too early")
        self.assertRegex(other.stderr.decode(), "^consort: .*(process|held|lock|use)")
        run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=30)
        self.assertEqual(run.returncode, 130, err)
        self.assertEqual(self.json_("runs", "show", "slow")["status"], "interrupted")
        out = self.json_("run", path, "--resume", "slow")
        self.assertEqual((out["status"], out["output"]), ("completed", {"x": 2}))


class Workflows(Case):
    """Whole workflows over real models."""

    def mixed(self):
        generate = lambda model, prompt: {"call": "generate", "with": {
            "model": model, "prompt": prompt, "temperature": 1, "maxTokens": 10}, "output": {"as": "${ .text }"}}
        return self.workflow([
            {"said": {"fork": {"branches": [{"smol": generate(SMOLLM, "The sea")}, {"gemma": generate(GEMMA, "A ferry")}]}}},
            {"meaning": {"call": "embed", "with": {"model": MINILM, "input": "${ join(\" \") }"},
                         "output": {"as": "${ {said: $input, vector: .embedding[0:8]} }"}}}], name="mixed")

    def test_models_in_a_second_process_give_the_same_digest(self):
        path, address = self.mixed(), f"ipc://{self.path}/bus"
        here = self.json_("run", path, "--seed", 5, "--threads", 1, "--run-id", "here")
        self.assertRegex(here["output_digest"], "^[0-9a-f]{32}$")
        self.assertEqual(self.json_("run", path, "--seed", 5, "--threads", 2)["output_digest"], here["output_digest"])
        self.assertNotEqual(self.json_("run", path, "--seed", 6)["output_digest"], here["output_digest"])
        self.assertEqual(self.json_("runs", "show", "here")["output_digest"], here["output_digest"])
        node = self.start("node", "--join", address)
        try:
            there = self.json_("run", path, "--seed", 5, "--bus", address)
        finally:
            node.send_signal(signal.SIGTERM)
            node.communicate(timeout=30)
        self.assertEqual(there["output"], here["output"])
        self.assertEqual(there["output_digest"], here["output_digest"])
        self.assertEqual(sorted(here["models"]), sorted((SMOLLM, GEMMA, MINILM)))
        for digest in here["models"].values():
            self.assertRegex(digest, "^[0-9a-f]{32}$")
        self.assertEqual(there["models"], here["models"])
        self.assertEqual(self.json_("runs", "show", "here")["models"], here["models"])

    def test_a_node_that_stops_answering_completes_nothing(self):
        path, address = self.mixed(), f"ipc://{self.path}/bus"
        document = json.loads(path.read_text())
        document["timeout"] = {"after": {"seconds": 30}}
        path.write_text(json.dumps(document))
        node = self.start("node", "--join", address, "--models", ",".join((SMOLLM, GEMMA, MINILM)))
        run = self.start("run", path, "--seed", 5, "--bus", address, "--json")
        try:
            node.send_signal(signal.SIGSTOP)
            out, err = run.communicate(timeout=90)
        finally:
            node.send_signal(signal.SIGKILL)
            node.communicate(timeout=30)
        self.assertNotEqual(run.returncode, 0, out)
        self.assertNotIn(b'"output"', out)

    def test_the_owners_sum_is_the_resident_memory(self):
        """README: resident memory less mapped files is the sum over owners and about 40 MB of heap (program, threads,
        tokenizers, the store's blocks)."""
        constant = 40e6
        self.json_("run", self.mixed(), "--seed", 5, "--stats", self.path / "stats.json")
        memory = json.loads((self.path / "stats.json").read_text())["memory"]
        resident = memory["resident_pool"] + memory["resident_heap"] - constant
        self.assertGreater(memory["owners_sum"], 300e6)
        self.assertAlmostEqual(memory["owners_sum"] / resident, 1, delta=0.05, msg=memory)
        self.assertEqual(memory["owners_sum"], sum(o["bytes"] for o in memory["owners"]))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
