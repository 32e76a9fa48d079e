#!/usr/bin/env python3
"""End to end: consort eval on tiny tasks with real models: files, determinism, resuming, imports, mistakes.

Usage: eval_test.py PROGRAM SOURCE_DIR [unittest arguments], as consort_test.py.
"""
import base64
import csv
import io
import json
import re
import sys
import unittest
import xml.etree.ElementTree

from consort_test import Case, GEMMA, MINILM, SMOLLM, SOURCE

BGE = "bge-small-en-v1.5"
EXAMPLE = SOURCE / "configs/tasks/example-choices.jsonl"
FILES = {"predictions.jsonl", "predictions.csv", "predictions.npz", "timings.csv", "results.json", "measures.csv",
         "comparisons.csv", "report.html"}


def task(header, items):
    return "".join(json.dumps(line) + "\n" for line in [header, *items])


class Evaluation(Case):
    def eval_(self, out, *arguments, members=f"{SMOLLM},{GEMMA}", file=EXAMPLE, expect=0):
        return self.run_("eval", "--task", file, "--members", members, "--out", out, "--resamples", 300, *arguments,
                         expect=expect)

    def files(self, out):
        folder = self.path / out
        return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}

    def same_but_for_time(self, a, b):
        x, y = self.files(a), self.files(b)
        self.assertEqual(set(x), set(y))
        for name in set(x) - {"timings.csv"}:
            self.assertEqual(x[name], y[name], f"{name} differs")

    def test_one_thread_and_two_give_the_same_bytes_and_an_evaluation_goes_on(self):
        self.eval_("one", "--threads", 1, "--data-dir", self.path / "data-1")
        self.eval_("two", "--threads", 2, "--data-dir", self.path / "data-2")
        self.same_but_for_time("one", "two")
        again = self.eval_("again", "--threads", 2, "--data-dir", self.path / "data-2")
        self.same_but_for_time("two", "again")
        self.assertEqual(self.files("two")["timings.csv"], self.files("again")["timings.csv"])  # nothing was asked
        self.assertIn(b"variants were measured on the test split", again.stdout)

    def test_the_files_of_an_evaluation(self):
        found = json.loads(self.eval_("out", "--json").stdout)
        files = self.files("out")
        self.assertEqual({n for n in files if "/" not in n}, FILES)
        self.assertEqual(found, json.loads(files["results.json"]))
        self.assertEqual(found["items"]["fit"] + found["items"]["test"], 24)
        names = [e["name"] for e in found["entries"]]
        for wanted in (SMOLLM, GEMMA, GEMMA + " calibrated", "vote", "linearPool", "logPool fitted", "oracle"):
            self.assertIn(wanted, names)
        roles = {e["role"] for e in found["entries"]}
        self.assertEqual(roles, {"member", "strategy", "control", "oracle"})
        for entry in found["entries"]:
            m = entry["measures"]["accuracy"]
            self.assertTrue(0 <= m["low"] <= m["value"] <= m["high"] <= 1, entry)
        for c in found["comparisons"]:
            self.assertIn(c["verdict"], ("better", "equal", "worse"))
            self.assertTrue(c["p"] <= c["p_holm"] <= 1, c)
        rows = list(csv.DictReader(io.StringIO(files["measures.csv"].decode())))
        self.assertIn(("vote", "accuracy"), [(r["contestant"], r["measure"]) for r in rows])
        self.check_plots(files)

    def check_plots(self, files):
        plots = {n for n in files if n.startswith("plots/")}
        for name in ("differences", "reliability", "risk-coverage", "cost-quality", "members", "items", "weights"):
            self.assertIn(f"plots/{name}.svg", plots)
            xml.etree.ElementTree.fromstring(files[f"plots/{name}.svg"])
            self.assertGreater(len(list(csv.reader(io.StringIO(files[f"plots/{name}.csv"].decode())))), 1)
        page = files["report.html"].decode()
        self.assertNotIn("<script", page)
        links = dict(re.findall(r'download="([^"]+)" href="data:[^;]+;base64,([^"]+)"', page))
        for name in plots:
            self.assertEqual(base64.b64decode(links[name.split("/")[1]]), files[name], name)
        for name in ("results.json", "measures.csv", "comparisons.csv"):
            self.assertEqual(base64.b64decode(links[name]).strip(), files[name].strip(), name)

    def test_labels_by_embeddings(self):
        kinds = {"weather": ["It will rain tomorrow.", "The storm brings snow.", "A sunny morning with fog.", "Strong wind and hail."],
                 "food": ["Bake the bread for an hour.", "Soup with carrots.", "She ate an apple pie.", "Rice and beans."],
                 "music": ["The choir sang a song.", "He plays the violin.", "A loud drum solo.", "The piano is out of tune."]}
        items = [{"split": split, "text": f"{place} {text}", "gold": label}
                 for split, place in (("train", "Note:"), ("fit", "Today:"), ("test", "They said:"))
                 for label, texts in kinds.items() for text in texts]
        file = self.write("labels.jsonl", task({"task": "notes", "kind": "labels", "neighbours": 3}, items))
        found = json.loads(self.eval_("out", "--json", members=f"{MINILM},{BGE}", file=file).stdout)
        accuracy = {e["name"]: e["measures"]["accuracy"]["value"] for e in found["entries"]}
        self.assertGreater(accuracy[MINILM], 0.9)
        self.assertGreater(accuracy["concatenate"], 0.9)
        self.assertTrue(any(e["role"] == "control" for e in found["entries"]))  # the best member under other heads

    def test_retrieval_pairs_text_and_answers(self):
        docs = [{"doc": f"d{i}", "text": t} for i, t in enumerate(
            ["The ferry leaves at nine.", "Honey from the heath.", "The lighthouse keeper's dog.", "A violin in the church."])]
        queries = [{"query": f"q{i}", "text": t, "relevant": [f"d{i % 4}"], "split": "fit" if i < 4 else "test"}
                   for i, t in enumerate(["When does the boat go?", "What do the bees make?", "Who has a dog?",
                                          "Where is music?"] * 2)]
        file = self.write("r.jsonl", task({"task": "find", "kind": "retrieval"}, docs + queries))
        found = json.loads(self.eval_("r", "--json", members=f"{MINILM},{BGE},words", file=file).stdout)
        self.assertEqual(found["measures"][0]["name"], "ndcg10")
        self.assertTrue(any(e["role"] == "control" for e in found["entries"]), found["notes"])  # other wordings
        ndcg = {e["name"]: e["measures"]["ndcg10"]["value"] for e in found["entries"]}
        self.assertLess(ndcg["words"], ndcg[BGE])  # only the dog's document shares a word with its query
        self.assertIn("reciprocalRank", [e["name"] for e in found["entries"]])
        pairs = [{"a": a, "b": b, "gold": g, "split": split} for split in ("fit", "test") for a, b, g in
                 (("A dog runs.", "A dog is running.", True), ("A dog runs.", "The bank is closed.", False),
                  ("She sings.", "She is singing.", True), ("She sings.", "Rain in May.", False))] * 2
        file = self.write("p.jsonl", task({"task": "near", "kind": "pairs"}, pairs))
        found = json.loads(self.eval_("p", "--json", members=f"{MINILM},{BGE}", file=file).stdout)
        self.assertEqual(found["entries"][0]["measures"]["auroc"]["value"], 1)
        texts = [{"text": t, "split": split} for split in ("fit", "test") for t in
                 ("The ferry crosses the sound twice a day.", "for (int i = 0; i < n; ++i) sum += a[i];")]
        file = self.write("t.jsonl", task({"task": "score", "kind": "text"}, texts))
        found = json.loads(self.eval_("t", "--json", file=file).stdout)
        bits = {e["name"]: e["measures"]["bitsPerByte"]["value"] for e in found["entries"]}
        self.assertTrue(all(0.2 < bits[m] < 6 for m in (SMOLLM, GEMMA, "linearPool", "fixedShare")), bits)
        self.assertTrue(any("keeps its bound" in n and "2 of 2" in n for n in found["notes"]), found["notes"])
        self.assertTrue(any(e["role"] == "control" for e in found["entries"]), found["notes"])  # behind another lead-in
        self.assertTrue(any("no gate" in n for n in found["notes"]), found["notes"])
        file = self.write("u.jsonl", task({"task": "score", "kind": "text", "pieces": "tokens", "context": 16}, texts))
        found = json.loads(self.eval_("u", "--json", file=file).stdout)
        bits = {e["name"]: e["measures"]["bitsPerByte"]["value"] for e in found["entries"]}
        self.assertTrue(all(0.2 < bits[m] < 6 for m in (SMOLLM, GEMMA, "fixedShare fitted", "gated")), bits)
        self.assertTrue(any(e["role"] == "control" and e["name"].endswith("gated") for e in found["entries"]), bits)
        self.eval_("v", "--import", "u/predictions.jsonl", "--control", "none", file=file)  # null where nothing stands before
        answers = [{"question": f"What is {i} plus one?", "gold": i + 1, "split": "fit" if i < 3 else "test"} for i in range(6)]
        file = self.write("a.jsonl", task({"task": "count", "kind": "answer", "answer": "number", "maxTokens": 12,
                                           "chat": True}, answers))
        found = json.loads(self.eval_("a", "--json", file=file).stdout)
        self.assertIn("vote", [e["name"] for e in found["entries"]])
        self.assertTrue(any(e["role"] == "control" for e in found["entries"]))

    def test_recorded_rows_are_judged_without_models(self):
        self.eval_("first", "--control", "none")
        done = self.run_("eval", "--task", EXAMPLE, "--import", "first/predictions.jsonl", "--out", "second", "--resamples",
                         300, "--control", "none", "--models-dir", self.path / "no-models", "--data-dir", self.path / "other")
        self.assertIn(b"accuracy", done.stdout)
        self.assertEqual(self.files("first")["measures.csv"], self.files("second")["measures.csv"])

    def test_mistakes_are_named(self):
        done = self.eval_("x", "--combine", "vote,magic", expect=2)
        self.assertRegex(done.stderr.decode(), "magic.*weightedVote")
        self.eval_("x", members="no-such-model", expect=4)
        file = self.write("bad.jsonl", task({"task": "x", "kind": "choices"},
                                            [{"question": "?", "options": ["a", "b"], "gold": 2}]))
        self.assertRegex(self.eval_("x", file=file, expect=3).stderr.decode(), "line 2 /gold")
        self.eval_("x", members=f"{SMOLLM},{SMOLLM}", expect=2)
        self.assertFalse((self.path / "x").exists())


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
