#!/usr/bin/env python3
"""End to end: models that answer in one pass (encoders, rerankers, classifiers) and blobs, through the program.

Usage: networks_test.py PROGRAM SOURCE_DIR [unittest arguments], as consort_test.py.
"""
import json
import signal
import sys
import time
import unittest

from consort_test import Case, GEMMA, GOLDEN, MINILM, SMOLLM, SOURCE, rows, safetensors

BGE, COLBERT, RERANKER = "bge-small-en-v1.5", "answerai-colbert-small-v1", "ms-marco-minilm-l12-v2"
MAGIKA, EFFICIENTNET = "magika", "efficientnet-lite0"
PHOTOS = SOURCE / "tests/golden/vision/photos"


def dot(a, b):
    return sum(x * y for x, y in zip(a, b))


class Items(Case):
    def test_a_broken_line_of_embed_fails_alone(self):
        given = (b'{"text": "one"}\n{"text": 3}\nnot json\n{"image": "no-such.png"}\n{"smiles": "CCO"}\n{}\n'
                 b'{"text": "one"}\n')
        out = self.lines("embed", "--model", MINILM, given=given, expect=3)
        self.assertEqual(["error" in line for line in out], [False, True, True, True, True, True, False])
        self.assertEqual(out[0], out[6])
        self.assertEqual((out[0]["tokens"], len(out[0]["embedding"])), (3, 384))
        self.assertEqual([line["error"]["type"].rsplit(":", 1)[1] for line in out[1:6]],
                         ["invalid", "invalid", "notFound", "unsupported", "invalid"])

    def test_a_long_text_is_cut_and_says_so(self):
        out = self.lines("embed", "--model", MINILM, given=[{"text": "harbour " * 600}, {"text": "harbour"}])
        self.assertEqual((out[0]["tokens"], out[0]["truncated"]), (256, True))
        self.assertNotIn("truncated", out[1])

    def test_neighbours_do_not_matter(self):
        texts = [r["text"] for r in rows("all-minilm-l6-v2.texts.jsonl")][:40]
        together = self.lines("embed", "--model", MINILM, given=[{"text": t} for t in texts])
        alone = self.lines("embed", "--model", MINILM, "--threads", 1, given=[{"text": texts[17]}])
        self.assertEqual(alone[0], together[17])

    def test_what_a_model_does_not_do(self):
        self.write("a.txt", "text")
        self.problem("classify", "--model", MINILM, "a.txt", expect=3, kind="unsupported")
        self.problem("classify", "--model", MINILM, "a.txt", "--labels", "cat,dog", expect=3, kind="unsupported")
        self.problem("classify", "--model", SMOLLM, "a.txt", expect=3, kind="unsupported")
        pair = b'{"query": "q", "passage": "p"}\n'
        self.problem("rerank", "--model", MINILM, expect=3, kind="unsupported", given=pair)
        self.problem("embed", "--model", MAGIKA, expect=3, kind="unsupported", given=b'{"file": "a.txt"}\n')
        self.run_("classify", "--model", MINILM, expect=2)


class Blobs(Case):
    def test_a_file_is_a_blob_and_its_text_where_a_text_is_wanted(self):
        self.write("note.txt", "The ferry leaves at nine.")
        path = self.workflow([
            {"see": {"set": {"handle": "${ .note }", "size": "${ .note.bytes }", "type": "${ .note.mediaType }"},
                     "export": {"as": "${ {seen: .} }"}}},
            {"embed": {"call": "embed", "with": {"model": MINILM, "input": "${ $workflow.input.note }"}}},
            {"plain": {"call": "embed", "with": {"model": MINILM, "input": "The ferry leaves at nine."},
                       "input": {"from": "${ {first: .} }"},
                       "output": {"as": "${ {same: (.embedding == $input.first.embedding), seen: $context.seen} }"}}}])
        out = self.json_("run", path, "--input", "note=@note.txt", "--run-id", "blob")["output"]
        self.assertTrue(out["same"])
        self.assertEqual((out["seen"]["size"], out["seen"]["type"]), (25, "text/plain"))
        self.assertEqual(out["seen"]["handle"]["name"], "note.txt")
        self.problem("run", path, "--input", "note=@no-such.txt", expect=4, kind="notFound")

    def test_a_resumed_run_has_its_blobs(self):
        self.write("note.txt", "The ferry leaves at nine.")
        path = self.workflow([{"rest": {"wait": {"seconds": 6}}},
                              {"embed": {"call": "embed", "output": {"as": "${ .tokens }"},
                                         "with": {"model": MINILM, "input": "${ $workflow.input.note }"}}}])
        run = self.start("run", path, "--run-id", "slow", "--input", "note=@note.txt", "--json")
        time.sleep(3)
        run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=30)
        self.assertEqual(run.returncode, 130, err)
        (self.path / "note.txt").unlink()
        self.assertEqual(self.json_("run", path, "--resume", "slow")["output"], 8)


class Encoders(Case):
    def test_bge_embeddings_have_length_one(self):
        texts = ["The ferry leaves at nine.", "The boat departs at 9 o'clock.", "Bread is baked at night."]
        out = [o["embedding"] for o in self.lines("embed", "--model", BGE, given=[{"text": t} for t in texts])]
        self.assertEqual({len(v) for v in out}, {384})
        self.assertAlmostEqual(dot(out[0], out[0]), 1, delta=1e-4)
        self.assertGreater(dot(out[0], out[1]), dot(out[0], out[2]) + 0.1)

    def test_late_interaction_gives_a_row_a_token(self):
        golden = rows("answerai-colbert-small-v1.texts.jsonl")
        out = self.lines("embed", "--model", COLBERT, given=[{"text": g["text"]} for g in golden])
        for g, line in zip(golden, out):
            self.assertEqual((len(line["embeddings"]), line["tokens"]), (len(g["ids"]), len(g["ids"])))
            self.assertEqual({len(row) for row in line["embeddings"]}, {384})

    def test_rerank(self):
        golden = rows("ms-marco-minilm-l12-v2.pairs.jsonl")
        given = [{"query": g["query"], "passage": g["passage"]} for g in golden] + [{"query": "alone"}]
        out = self.lines("rerank", "--model", RERANKER, given=given, expect=3)
        self.assertIn("error", out.pop())
        for g, line in zip(golden, out):
            self.assertAlmostEqual(line["score"], g["logit_f32_dequant"], delta=1.0)
            self.assertEqual((line["tokens"], line.get("truncated", False)), (g["used"], g["tokens"] > g["used"]))


class Ensembles(Case):
    def test_embed_side_by_side_and_as_a_mean(self):
        given = [{"text": "The ferry leaves at nine."}, {"text": "Bread is baked at night."}]
        single = {m: [o["embedding"] for o in self.lines("embed", "--model", m, given=given)] for m in (MINILM, BGE)}
        out = self.lines("ensemble", "embed", "--members", f"{MINILM},{BGE}", "--weights", "3,1",
                         given=given + [{"smiles": "C"}], expect=3)
        self.assertIn("error", out.pop())
        rows = [o["embedding"] for o in out]
        self.assertEqual({len(r) for r in rows}, {768})
        cosines = [dot(*single[m]) for m in (MINILM, BGE)]
        self.assertAlmostEqual(dot(*rows), 0.75 * cosines[0] + 0.25 * cosines[1], delta=1e-5)
        self.assertEqual([m["name"] for m in out[0]["members"]], [MINILM, BGE])
        mean = self.lines("ensemble", "embed", "--members", f"{MINILM},{BGE}", "--combine", "mean", given=given)
        self.assertEqual(len(mean[0]["embedding"]), 384)
        self.assertAlmostEqual(dot(mean[0]["embedding"], mean[0]["embedding"]), 1, delta=1e-5)

    def test_classify_files(self):
        source, photo = GOLDEN / "snippets/cpp-a", PHOTOS / "coffee.png"
        out = self.run_("ensemble", "classify", "--members", f"{MAGIKA},{EFFICIENTNET}", "--weights", "0.2,0.8",
                        "--on-member-error", "report", "--top", 2, source, "no-such-file", photo, expect=3)
        out = [json.loads(line) for line in out.stdout.splitlines()]
        self.assertEqual((out[0]["labels"][0]["label"], out[0]["missing"]), ("cpp", [EFFICIENTNET]))
        self.assertIn("error", out[1])
        self.assertEqual([lab["label"] for lab in out[2]["labels"]], ["espresso", "png"])
        self.assertAlmostEqual(out[2]["labels"][1]["score"], 0.2, delta=0.01)
        self.run_("ensemble", "classify", "--members", MAGIKA, expect=2)


class Classifiers(Case):
    def test_source_files(self):
        golden = rows("magika.predictions.jsonl")
        files = [GOLDEN / g["file"] for g in golden if (GOLDEN / g["file"]).exists()]
        self.assertGreater(len(files), 20)
        done = self.run_("classify", "--model", MAGIKA, "--json", "--scores", "s.safetensors", *files)
        out = [json.loads(line) for line in done.stdout.splitlines()]
        by_file = {str(GOLDEN / g["file"]): g for g in golden}
        for line in out:
            g = by_file[line["file"]]
            self.assertEqual(line["labels"][0]["label"], g["output_label"], line["file"])
            if g["network"]:
                self.assertAlmostEqual(line["raw"][0]["score"], g["score"], delta=1e-3)
        shape, _ = safetensors(self.path / "s.safetensors")["scores"]
        self.assertEqual(shape[0], len(files))

    def test_a_node_in_a_second_process_gives_the_same_labels(self):
        files = [GOLDEN / "snippets" / name for name in ("cpp-a", "edge-empty", "edge-eight-bytes")]
        arguments = ("classify", "--model", MAGIKA, "--json", *files)
        address = f"ipc://{self.path}/bus"
        here = self.run_(*arguments).stdout
        node = self.start("node", "--join", address, "--models", MAGIKA)
        try:
            there = self.run_(*arguments, "--bus", address).stdout
        finally:
            node.send_signal(signal.SIGTERM)
            node.communicate(timeout=30)
        self.assertEqual(there, here)

    def test_photos(self):
        golden = {r["id"]: r for r in map(json.loads, (PHOTOS.parent / "photos.jsonl").read_text().splitlines())}
        files = sorted(PHOTOS.glob("*.png"))
        self.write("broken.png", "\x89PNG but not really")
        done = self.run_("classify", "--model", EFFICIENTNET, "--json", "--top", 3, "--scores", "s.safetensors",
                         files[0], "broken.png", *files[1:], expect=3)
        out = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertIn("error", out.pop(1))
        shape, values = safetensors(self.path / "s.safetensors")["scores"]
        self.assertEqual(shape, [len(files) + 1, 1000])
        for i, (file, line) in enumerate(zip(files, out)):
            best = golden[file.stem.split("_")[0]]["top5"][0]
            self.assertEqual((line["file"], len(line["labels"])), (str(file), 3))
            self.assertAlmostEqual(line["raw"][0]["score"], best["probability"], delta=2e-4)
            row = i if i == 0 else i + 1
            self.assertAlmostEqual(values[row * 1000 + best["index"]], best["logit"], delta=1e-3)
        self.assertEqual(max(values[1000:2000]), 0)

    def test_zero_shot_by_a_clip_folder(self):
        folder = PHOTOS.parent / "clip"  # a small random model; its logits are transformers' own
        shape, golden = safetensors(folder / "expected.safetensors")["logits_per_image"]
        texts = [json.loads(line)["text"] for line in (folder / "texts.jsonl").read_text().splitlines()]
        chosen = [0, 4, 10, 11]
        labels = [texts[i] for i in chosen]
        self.assertFalse(any("," in label for label in labels))
        photos = [PHOTOS.parent / name for name in ("photos/chelsea.png", "edge/wide-400x8.png", "edge/exif-6.jpg",
                                                   "edge/palette.png")]
        done = self.run_("classify", "--model", folder, "--json", "--labels", ",".join(labels), "--prompt", "{}",
                         "--scores", "s.safetensors", *photos)
        _, scores = safetensors(self.path / "s.safetensors")["scores"]
        for p, line in enumerate(map(json.loads, done.stdout.splitlines())):
            want = [golden[p * shape[1] + i] for i in chosen]
            for a, b in zip(scores[p * len(chosen):], want):
                self.assertAlmostEqual(a, b, delta=1e-3 * max(1, abs(b)))
            self.assertEqual(line["labels"][0]["label"], labels[max(range(len(want)), key=want.__getitem__)])
            self.assertAlmostEqual(sum(entry["score"] for entry in line["labels"]), 1, delta=1e-6)

    def test_a_workflow_looks_at_a_photo_and_a_file(self):
        path = self.workflow([
            {"look": {"fork": {"branches": [
                {"photo": {"call": "classify", "with": {"model": EFFICIENTNET, "input": "${ .photo }", "topK": 2}}},
                {"source": {"call": "classify", "with": {"model": MAGIKA, "input": "${ .source }"}}}]}}},
            {"say": {"set": {"photo": "${ .[0].labels[0].label }", "source": "${ .[1].labels[0].label }",
                             "width": "${ $workflow.input.photo.width }"}}}])
        out = self.json_("run", path, "--input", f"photo=@{PHOTOS / 'coffee.png'}", "--input",
                         f"source=@{GOLDEN / 'snippets/cpp-a'}")["output"]
        self.assertEqual((out["photo"], out["source"], out["width"]), ("espresso", "cpp", 600))

    def test_photos_are_found_by_words(self):
        self.run_("memory", "ingest", PHOTOS, "--images", "--namespace", "photos")
        for query, photo in (("a sleeping cat", "chelsea.png"), ("a cup of coffee", "coffee.png"),
                             ("somebody in a space suit", "astronaut.png")):
            hits = self.json_("memory", "search", query, "--namespace", "photos", "--mode", "dense")["hits"]
            self.assertEqual(hits[0]["externalId"], photo, (query, [h["text"] for h in hits[:3]]))
            self.assertEqual(hits[0]["metadata"]["mediaType"], "image/png")
            self.assertEqual(len(hits[0]["metadata"]["blob"]), 64)

    def test_recall_of_photos_by_words(self):
        folder = self.json_("models", "show", "field-photos")["folder"]
        self.run_("memory", "ingest", folder, "--images", "--namespace", "photos")
        questions = [json.loads(q) for q in (SOURCE / "configs/questions/photos.jsonl").read_text().splitlines()]
        found = {1: 0, 5: 0, 10: 0}
        for q in questions:
            hits = self.json_("memory", "search", q["query"], "--namespace", "photos", "--mode", "dense",
                              "--top-k", 10)["hits"]
            names = [h["externalId"] for h in hits if h["externalId"].endswith((".png", ".jpg"))]
            for k in found:
                found[k] += q["photo"] in names[:k]
        recall = {k: n / len(questions) for k, n in found.items()}
        print("photos by words (ConSE, ten photos): " + ", ".join(
            f"recall@{k} {recall[k]:.2f} (chance {k / 10:.1f})" for k in found))
        self.assertGreaterEqual(recall[1], 0.5)
        self.assertGreaterEqual(recall[5], 0.8)
        self.assertEqual(recall[10], 1)  # every photo is in the list


class AllModels(Case):
    def test_every_model_of_the_catalogue_at_the_same_time(self):
        """In one process within the default memory limit, each with bytes of its own, their sum the memory in use."""
        catalogue = [m["id"] for m in self.json_("models", "list") if m["kind"] not in ("pictures",)]
        catalogue = [m for m in catalogue if "supervised" not in m]  # the same networks with other weights
        graphs = [m for m in catalogue if m.startswith("gnn-")]
        self.assertEqual(len(graphs), 3)
        self.assertEqual(sorted(catalogue), sorted(graphs + [SMOLLM, GEMMA, MINILM, BGE, COLBERT, RERANKER, MAGIKA, EFFICIENTNET]))
        photo, text = {"file": "${ .photo }"}, "The ferry leaves at nine."
        call = lambda kind, **options: {"call": kind, "with": options}
        tasks = {"photo": call("classify", model=EFFICIENTNET, input="${ .photo }"), "file": call("classify", model=MAGIKA, input=photo),
                 "order": call("rerank", model=RERANKER, query=text, passages=["bread", "the ferry"])}
        for model in (MINILM, BGE, COLBERT):
            tasks[model] = call("embed", model=model, input=text)
        for model in graphs:
            tasks[model] = call("embed", model=model, input={"smiles": "CCO"})
        for model in (SMOLLM, GEMMA):
            tasks[model] = call("generate", model=model, prompt="The sea", maxTokens=8, temperature=0)
        path = self.workflow([{"all": {"fork": {"branches": [{name.replace(".", "-"): t} for name, t in tasks.items()]}}}])
        out = self.json_("run", path, "--input", f"photo=@{PHOTOS / 'coffee.png'}", "--stats", self.path / "stats.json")
        self.assertEqual(sorted(out["models"]), sorted(catalogue))
        memory = json.loads((self.path / "stats.json").read_text())["memory"]
        owned = {o["name"] for o in memory["owners"] if o["purpose"] == "weights" and o["bytes"] > 0}
        self.assertTrue(set(catalogue) <= owned, (catalogue, memory["owners"]))
        self.assertLessEqual(memory["pool_peak"], memory["pool_limit"])
        self.assertEqual(memory["owners_sum"], sum(o["bytes"] for o in memory["owners"]))
        heap = memory["resident_heap"]
        print(f"all {len(catalogue)} models: owners {memory['owners_sum'] / 1e6:.1f} MB, resident pool "
              f"{memory['resident_pool'] / 1e6:.1f} MB, heap {heap / 1e6:.1f} MB")
        self.assertAlmostEqual(memory["owners_sum"] / (memory["resident_pool"] + heap - 60e6), 1, delta=0.05, msg=memory)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
