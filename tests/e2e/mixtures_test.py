#!/usr/bin/env python3
"""End to end: models of different tokenizers as one (byteMixture, chunkMixture, unite), and doubt that steers a workflow.

Usage: mixtures_test.py PROGRAM SOURCE_DIR [unittest arguments], as consort_test.py.
"""
import json
import math
import sys
import unittest

from consort_test import Case, GEMMA, SMOLLM, SOURCE

BOTH = f"{SMOLLM},{GEMMA}"
PROMPT = ("--prompt", "The capital of Norway is", "--raw")


class Mixtures(Case):
    def mix(self, *more, members=BOTH, expect=0):
        return self.json_("ensemble", "generate", "--members", members, "--combine", "byteMixture", *PROMPT,
                          "--max-bytes", 24, *more, expect=expect)

    def without_times(self, value):
        if isinstance(value, dict):
            return {k: self.without_times(v) for k, v in value.items() if k not in ("milliseconds", "usage")}
        return [self.without_times(v) for v in value] if isinstance(value, list) else value

    def test_both_models_write_the_same_bytes(self):
        out = self.mix("--temperature", 0, "--signals-at", "8,16")
        self.assertEqual([m["name"] for m in out["members"]], [SMOLLM, GEMMA])
        self.assertEqual([m["answer"] for m in out["members"]], [out["answer"]] * 2)
        self.assertAlmostEqual(sum(m["weight"] for m in out["members"]), 1, delta=1e-9)
        self.assertEqual(out["missing"], [])
        self.assertLessEqual(len(out["answer"].encode()), 24)
        self.assertEqual([s["byte"] for s in out["signalsAt"]], [8, 16])
        self.assertEqual([len(w) for w in out["trajectory"]], [out["combined"]["bytes"]] * 2)
        # The mixture over whole texts: its code is at most one bit longer than the better member's (alpha 0).
        out = self.mix("--temperature", 0, "--alpha", 0)
        steps = len(out["trajectory"][0])
        best = max(m["score"] for m in out["members"]) * steps
        self.assertGreaterEqual(out["combined"]["logprob"], best - math.log(2) - 1e-6)
        again = self.mix("--temperature", 0, "--alpha", 0, "--threads", 1)
        self.assertEqual(self.without_times(again), self.without_times(out))

    def test_drawn_and_beam(self):
        one, same = (self.mix("--temperature", 1, "--seed", 3)["answer"] for _ in range(2))
        self.assertEqual(one, same)
        others = {self.mix("--temperature", 1, "--seed", seed)["answer"] for seed in (4, 5)}
        self.assertGreater(len(others | {one}), 1)
        greedy, beam = (self.mix("--temperature", 0, "--pool", "linear", "--beams", n) for n in (1, 4))
        self.assertGreaterEqual(beam["combined"]["logprob"], greedy["combined"]["logprob"] - 1e-9)

    def test_a_drafter_changes_no_text(self):
        greedy, drawn = ("--temperature", 0), ("--temperature", 1, "--seed", 3, "--accept", "same")
        for how, plain in ((greedy, self.mix(*greedy)), (drawn, self.mix("--temperature", 1, "--seed", 3))):
            for drafter in (SMOLLM, GEMMA):
                out = self.mix(*how, "--drafter", drafter, "--draft-bytes", 8)
                self.assertEqual(out["answer"], plain["answer"])
                self.assertEqual(out["combined"]["logprob"], plain["combined"]["logprob"])
                counts = out["combined"]["speculation"]
                self.assertEqual(counts["drafter"], drafter)
                self.assertGreater(counts["kept"], 0)
                self.assertGreaterEqual(counts["drafted"], counts["kept"])
        # Speculative sampling from one model: the drafter has no say, the text is the other's own.
        own = self.json_("generate", "--model", GEMMA, *PROMPT, "--temperature", 0, "--max-tokens", 5)["text"]
        out = self.mix("--temperature", 0, "--pool", "linear", "--weights", "0,1", "--drafter", SMOLLM)
        self.assertEqual(out["answer"][:len(own)], own)
        self.problem("ensemble", "generate", "--members", BOTH, "--combine", "byteMixture", *PROMPT,
                     "--drafter", "nobody", expect=3, kind="invalid")

    def test_one_member_is_the_model_itself(self):
        own = self.json_("generate", "--model", SMOLLM, *PROMPT, "--temperature", 0, "--max-tokens", 5)["text"]
        out = self.mix("--temperature", 0, members=SMOLLM)
        self.assertEqual(out["answer"][:len(own)], own)

    def test_options_that_do_not_fit(self):
        mix = ("ensemble", "generate", "--members", BOTH, "--combine", "byteMixture", *PROMPT)
        self.problem(*mix, "--top-p", 0.5, expect=2, kind="usage")
        self.problem(*mix, "--temperature", 1, "--beams", 2, expect=3, kind="invalid")
        self.problem("ensemble", "generate", "--members", BOTH, *PROMPT, "--beams", 2, expect=2, kind="usage")
        report = self.mix("--on-member-error", "report", "--temperature", 0, members=f"{SMOLLM},no-such-model")
        self.assertEqual(report["missing"], ["no-such-model"])

    def test_scores_keep_their_bounds(self):
        text = (SOURCE / "tests/golden/data/text_english.txt").read_bytes()[:200]
        (self.path / "text").write_bytes(text)
        for combine in ("byteMixture", "chunkMixture"):
            for alpha in (0, 0.01):
                out = self.json_("ensemble", "score", "--members", BOTH, "--file", "text", "--combine", combine,
                                 "--alpha", alpha)
                best = min(m["nll_nats"] for m in out["members"])
                pieces = out["combined"]["pieces"]
                bound = best + math.log(2) - (pieces - 1) * math.log(1 - alpha + alpha / 2)
                self.assertLessEqual(out["nll_nats"], bound + 1e-6)
                self.assertAlmostEqual(out["combined"]["bound_bits_per_byte"], bound / math.log(2) / len(text),
                                       delta=1e-9)
        fitted = self.json_("ensemble", "score", "--members", BOTH, "--file", "text", "--combine", "chunkMixture",
                            "--fit-file", "text")
        self.assertLessEqual(fitted["nll_nats"], best + 1e-6)  # fitted on the same text


class Unite(Case):
    def unite(self, *more, members=BOTH, expect=0):
        return self.json_("ensemble", "generate", "--members", members, "--combine", "unite", *PROMPT, *more,
                          expect=expect)

    def own(self, model):
        return self.json_("generate", "--model", model, *PROMPT, "--temperature", 0, "--max-tokens", 24)["text"]

    def test_both_models_write_the_same_strings(self):
        greedy = ("--temperature", 0, "--max-tokens", 12)
        out = self.unite(*greedy)
        self.assertTrue(out["answer"].startswith(" Oslo"), out["answer"])
        self.assertEqual([m["answer"] for m in out["members"]], [out["answer"]] * 2)
        self.assertEqual([m["weight"] for m in out["members"]], [0.5, 0.5])
        self.assertEqual((out["finishReason"], out["combined"]["strings"]), ("length", 12))
        for member in out["members"]:  # the prompt, then little more than a token a string
            self.assertLessEqual(member["tokens"], 6 + 2 * 12)
        again = self.unite(*greedy, "--threads", 1)
        for value in (out, again):
            value.pop("usage")
            for member in value["members"]:
                member.pop("milliseconds")
        self.assertEqual(again, out)

    def test_one_member_is_the_model_itself(self):
        greedy = ("--temperature", 0, "--max-tokens", 24)
        texts = [self.own(model) for model in (SMOLLM, GEMMA)]
        self.assertEqual([self.unite(*greedy, members=m)["answer"] for m in (SMOLLM, GEMMA)], texts)
        self.assertEqual(self.unite(*greedy, "--top-k", 1, members=GEMMA)["answer"], texts[1])
        self.assertEqual([self.unite(*greedy, "--weights", w)["answer"] for w in ("1,0", "0,1")], texts)

    def test_drawn_stopped_and_refused(self):
        drawn = [self.unite("--temperature", 1, "--seed", s, "--max-tokens", 8)["answer"] for s in (3, 3, 4, 5)]
        self.assertEqual(drawn[0], drawn[1])
        self.assertGreater(len(set(drawn)), 1)
        out = self.unite("--temperature", 0, "--stop", "\n", "--max-tokens", 24)
        self.assertEqual((out["finishReason"], out["answer"].count("\n")), ("stop", 0))
        command = ("ensemble", "generate", "--members", BOTH, "--combine", "unite", *PROMPT)
        self.problem(*command, "--top-p", 0.5, expect=2, kind="usage")
        self.problem(*command, "--beams", 2, expect=2, kind="usage")
        self.problem(*command, "--weights", "0,0", expect=3, kind="invalid")
        report = self.unite("--on-member-error", "report", "--temperature", 0, "--max-tokens", 4,
                            members=f"{SMOLLM},no-such-model")
        self.assertEqual(report["missing"], ["no-such-model"])


class Fusion(Case):
    FILE = SOURCE / "configs/workflows/evidence-contrast.json"
    PASSAGE = ("The harbour of Tornes was closed for ships longer than forty metres in 1931 because the quay had sunk. "
               "Since then the ferry from Lurvik lands at the old mill.")

    def ask(self, name, **options):
        document = json.loads(self.FILE.read_text())
        call = document["do"][0]["answer"]
        call["with"]["options"] = options
        call["output"]["as"] = "${ . }"
        return self.json_("run", self.write(name + ".json", document), "--input", f"passage={self.PASSAGE}",
                          "--input", "question=Where does the ferry from Lurvik land?")["output"]

    def test_a_passage_is_held_against_its_absence(self):
        contrast, mean = self.ask("contrast", pool="contrast"), self.ask("mean", pool="linear")
        for out in (contrast, mean):
            self.assertEqual([m["name"] for m in out["members"]], ["with", "without"])
            self.assertGreater(out["signals"]["disagreement"], 0)
            self.assertGreaterEqual(out["combined"]["tokens"], out["usage"]["completionTokens"])
        self.assertIn("mill", contrast["answer"])
        self.assertGreater(contrast["members"][0]["score"], contrast["members"][1]["score"])
        self.assertEqual(contrast["combined"]["pool"], "contrast")

    def test_one_prompt_twice_is_the_model_itself(self):
        document = json.loads(self.FILE.read_text())
        call = document["do"][0]["answer"]
        call["with"].update(members=[{"model": SMOLLM}, {"model": SMOLLM}], prompt=PROMPT[1], maxTokens=8, stop=[])
        call["with"].pop("options")
        call["output"]["as"] = "${ .answer }"
        out = self.json_("run", self.write("twice.json", document), "--input", "passage=-", "--input", "question=-")
        own = self.json_("generate", "--model", SMOLLM, *PROMPT, "--temperature", 0, "--max-tokens", 8)["text"]
        self.assertEqual(out["output"], own)


class Doubt(Case):
    FILE = SOURCE / "configs/workflows/doubt-switch.json"

    def ask(self, threshold, name):
        document = json.loads(self.FILE.read_text())
        document["do"][0]["first"]["with"]["options"]["stopOnDoubt"]["entropy"] = threshold
        path = self.write(name + ".json", document)
        trace = self.path / (name + "-trace.json")
        done = self.json_("run", path, "--input", "question=What is a fjord?", "--trace", trace, "--run-id", name)
        return done, trace.read_text()

    def test_doubt_hands_over_and_certainty_does_not(self):
        doubtful, trace = self.ask(1e-6, "doubtful")
        self.assertEqual(doubtful["output"]["by"], "both")
        self.assertEqual(doubtful["output"]["first"]["finishReason"], "doubt")
        self.assertEqual(len(doubtful["output"]["weights"]), 2)
        self.assertIn("disagreement", doubtful["output"]["signals"])
        self.assertIn("together", trace)
        self.assertNotIn("/keep", trace)
        sure, trace = self.ask(10, "sure")
        self.assertEqual(sure["output"]["by"], SMOLLM)
        self.assertEqual(sure["output"]["first"]["signalsAt"][0]["byte"], 24)
        self.assertNotIn("/together", trace)

    def test_the_shipped_document_is_sound(self):
        self.run_("workflow", "validate", self.FILE)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
