#!/usr/bin/env python3
"""End to end: consort probe (fit, apply, show) and call: probe, over texts, molecules, pictures and graphs.

Usage: probe_test.py PROGRAM SOURCE_DIR [unittest arguments]. As consort_test.py.
"""
import csv
import json
import math
import os
import pathlib
import random
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from consort_test import GOLDEN, MINILM, SOURCE, Case, safetensors

PHOTOS = SOURCE.resolve() / "tests/golden/vision/photos"
MOLECULES = [json.loads(line) for line in (SOURCE / "tests/golden/graph/data/molecules.jsonl").read_text().splitlines()]
NOTES = sorted((SOURCE / "configs/notes").glob("*.md"))


def aromatic(molecule):
    """The share of aromatic bonds."""
    return sum(bond[0] == 3 for bond in molecule["edge_attr"]) / max(1, len(molecule["edge_attr"]))


class Probes(Case):
    def table(self, name, columns, rows):
        with (self.path / name).open("w", newline="") as f:
            writer = csv.writer(f)
            writer.writerow(columns)
            writer.writerows(rows)
        return name

    def molecules(self):
        """The share of aromatic bonds (a number), whether there are any (a class, one in seven missing)."""
        return self.table("molecules.csv", ["name, of it", "smiles", "share", "any"], [
            [f'"{m["id"]}"\nand more', m["smiles"], aromatic(m),
             "" if i % 7 == 0 else "yes" if aromatic(m) > 0 else "no"] for i, m in enumerate(MOLECULES)])

    def fit(self, *more, model="gnn-gcn", data=None, expect=0):
        return self.json_("probe", "fit", "--model", model, "--data", data or self.molecules(), "--out",
                          "p.safetensors", *more, expect=expect)

    def test_molecules_two_targets_with_gaps(self):
        fit = self.fit("--input", "smiles", "--target", "share", "--target", "any")
        share, there = fit["targets"]
        self.assertEqual((share["kind"], share["examples"], share["missing"]), ("ridge", len(MOLECULES), 0))
        self.assertEqual((there["kind"], sorted(there["classes"])), ("logistic", ["no", "yes"]))
        self.assertEqual(there["missing"], math.ceil(len(MOLECULES) / 7))
        self.assertGreater(share["cross_validation"]["r2"], 0.4)
        self.assertGreater(there["cross_validation"]["auc"], 0.8)
        first = (self.path / "p.safetensors").read_bytes()
        self.fit("--input", "smiles", "--target", "share", "--target", "any", "--threads", 1)
        self.assertEqual(first, (self.path / "p.safetensors").read_bytes(), "the same data, the same file")
        shown = self.json_("probe", "show", "p.safetensors")
        self.assertEqual([h["target"] for h in shown["heads"]], ["share", "any"])
        self.assertEqual(shown["report"]["targets"], fit["targets"])
        given = [{"smiles": m["smiles"]} for m in MOLECULES] + [{"smiles": "C1CC"}]
        out = self.lines("probe", "apply", "--probe", "p.safetensors", given=given, expect=3)
        self.assertIn("error", out.pop())
        errors = [abs(o["predictions"]["share"]["value"] - aromatic(m)) for o, m in zip(out, MOLECULES)]
        self.assertLess(sum(errors) / len(errors), 0.1)
        for line in out:
            self.assertAlmostEqual(sum(s["score"] for s in line["predictions"]["any"]["labels"]), 1, delta=1e-9)
        table = self.run_("probe", "apply", "--probe", "p.safetensors", "--data", "molecules.csv", "--input", "smiles")
        rows = [json.loads(line) for line in table.stdout.splitlines()]
        self.assertEqual([r.pop("row") for r in rows], list(range(1, len(MOLECULES) + 1)))
        self.assertEqual(rows, out)

    def test_the_head_is_a_linear_map_of_the_embedding(self):
        self.fit("--input", "smiles", "--target", "share")
        tensors = safetensors(self.path / "p.safetensors")
        (bias,), weights = tensors["0.bias"][1], tensors["0.weights"][1]
        given = [{"smiles": m["smiles"]} for m in MOLECULES[:5]]
        embeddings = self.lines("embed", "--model", "gnn-gcn", given=given)
        for e, p in zip(embeddings, self.lines("probe", "apply", "--probe", "p.safetensors", given=given)):
            length = math.sqrt(sum(x * x for x in e["embedding"]))
            want = bias + sum(w * x for w, x in zip(weights, e["embedding"])) / length
            self.assertAlmostEqual(p["predictions"]["share"]["value"], want, delta=1e-6 * max(1, abs(want)))

    def test_several_models_stand_side_by_side(self):
        fit = self.fit("--input", "smiles", "--target", "share", "--test-share", "0.2", "--split", "scaffold",
                       model="gnn-gcn,gnn-gat")
        self.assertEqual([m["dimension"] for m in fit["models"]], [300, 300])
        self.assertGreater(fit["split"]["scaffolds"], 10)
        (target,) = fit["targets"]
        self.assertEqual(target["examples"] + target["test"]["examples"], len(MOLECULES))
        self.assertEqual(safetensors(self.path / "p.safetensors")["0.weights"][0], [1, 600])
        out = self.lines("probe", "apply", "--probe", "p.safetensors", given=[{"smiles": "CCO"}])
        self.assertIn("value", out[0]["predictions"]["share"])

    def test_texts_and_a_workflow(self):
        rows = [{"text": p, "from": n.stem[:1] < "m", "about": None} for n in NOTES
                for p in n.read_text().split("\n\n") if len(p) > 40]
        self.write("notes.jsonl", "".join(json.dumps(r) + "\n" for r in rows))
        fit = self.fit("--input", "text", "--target", "from", model=MINILM, data="notes.jsonl")
        self.assertEqual(sorted(fit["targets"][0]["classes"]), ["false", "true"])
        path = self.workflow([{"ask": {"call": "probe", "with": {"probe": "p.safetensors", "input": "${ .note }"}}}])
        out = self.json_("run", path, "--input", f"note={rows[0]['text']}")["output"]
        direct = self.lines("probe", "apply", "--probe", "p.safetensors", given=[{"text": rows[0]["text"]}])
        self.assertEqual(out["predictions"], direct[0]["predictions"])
        lost = self.workflow([{"ask": {"call": "probe", "with": {"probe": "none", "input": "x"}}}], "lost")
        self.assertIn("no such file", json.dumps(self.json_("run", lost, expect=4)).lower())

    def test_pictures(self):
        files = sorted(PHOTOS.glob("*.png"))
        self.table("photos.csv", ["file", "wide"], [[f, i % 2] for i, f in enumerate(files * 3)])
        fit = self.fit("--input", "file", "--as", "image", "--target", "wide", "--folds", 2, model="efficientnet-lite0",
                       data="photos.csv")
        self.assertEqual((fit["input"], fit["embedded"]), ("image", 3 * len(files)))

    def test_labels_of_nodes(self):
        chance = random.Random(3)
        lines = []
        for _ in range(40):  # chains; the label is the element of an atom, which its neighbours blur
            nodes = [[chance.choice((5, 7)), 0] for _ in range(9)]
            edges = [[i, i + 1] for i in range(8)]
            labels = ["carbon" if n[0] == 5 else "oxygen" for n in nodes]
            labels[0] = None
            lines.append({"graph": {"nodes": nodes, "edges": edges, "edge_features": [[0, 0]] * 8, "undirected": True},
                          "labels": labels})
        self.write("chains.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
        fit = self.fit("--input", "graph", "--target", "labels", "--level", "part", "--split", "item", "--folds", 3,
                       data="chains.jsonl")
        (target,) = fit["targets"]
        self.assertEqual((target["examples"], target["missing"]), (320, 40))
        self.assertGreater(target["cross_validation"]["auc"], 0.75)
        out = self.lines("probe", "apply", "--probe", "p.safetensors", given=[{"graph": line["graph"]} for line in lines])
        self.assertEqual({len(o["parts"]) for o in out}, {9})
        best = [p["predictions"]["labels"]["labels"][0]["label"] for o in out for p in o["parts"][1:]]
        truth = [label for line in lines for label in line["labels"][1:]]
        self.assertGreater(sum(a == b for a, b in zip(best, truth)) / len(truth), 0.65)  # a coin: a half
        lines[2]["labels"].pop()
        self.write("chains.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
        found = self.problem("probe", "fit", "--model", "gnn-gcn", "--data", "chains.jsonl", "--input", "graph", "--target",
                             "labels", "--level", "part", "--out", "q.safetensors", expect=3, kind="invalid")
        self.assertIn("8 labels for 9 parts", found["detail"])
        self.assertIn("row 3", json.dumps(found))

    def test_mistakes_say_where(self):
        def refused(text, *more, name="t.csv", kind="invalid", expect=3):
            self.write(name, text)
            return json.dumps(self.problem("probe", "fit", "--model", "gnn-gcn", "--data", name, "--input", "smiles",
                                           "--target", "y", "--out", "q.safetensors", *more, expect=expect, kind=kind))
        good = "smiles,y\n" + "".join(f"{'C' * (i + 1)},{i}.5\n" for i in range(20))
        self.assertIn("'smiles', 'z'", refused("smiles,z\nC,1\n"))
        self.assertIn("row 2 (line 3)", refused("smiles,y\nC,1\nCC\n"))
        self.assertIn("line 3, field 2", refused('smiles,y\nC,1\nCC,"2"x\n'))
        self.assertIn("row 3 (line 4), column 'y'", refused("smiles,y\nC,1\nCC,2\nCCC,many\n", "--kind", "ridge"))
        self.assertIn("row 21 (line 22), column 'smiles'", refused(good + "C1CC,3.5\n"))
        self.assertIn("no item", refused(good + ",3.5\n"))
        self.assertIn("too few", refused("smiles,y\nC,1.5\nCC,2.5\n"))
        self.assertIn("no row has a label", refused("smiles,y\nC,\nCC,\n"))
        self.assertIn("twice", refused(good, "--target", "y", kind="usage", expect=2))
        self.assertIn("scaffolds", refused(good, "--as", "text", "--split", "scaffold", kind="usage", expect=2))
        refused(good, "--model", "no-such-model", kind="notFound", expect=4)
        self.assertFalse((self.path / "q.safetensors").exists())
        self.write("t.csv", good + "C1CC,3.5\n")
        fit = self.json_("probe", "fit", "--model", "gnn-gcn", "--data", "t.csv", "--input", "smiles", "--target", "y",
                         "--out", "q.safetensors", "--on-error", "skip")
        self.assertEqual((fit["left_out"], fit["failures"][0]["row"]), (1, 21))
        self.json_("probe", "show", "t.csv", expect=3)

    def test_a_probe_answers_for_its_weights_only(self):
        self.fit("--input", "smiles", "--target", "share")
        data = (self.path / "p.safetensors").read_bytes()
        shown = self.json_("probe", "show", "p.safetensors")
        digest = shown["models"][0]["digest"].encode()
        self.assertEqual(len(digest), 32)
        (self.path / "p.safetensors").write_bytes(data.replace(digest, digest[::-1]))
        found = self.problem("probe", "apply", "--probe", "p.safetensors", expect=3, kind="invalid",
                             given=b'{"smiles": "CCO"}\n')
        self.assertIn("other weights", found["detail"])


class Chemistry(Case):
    """Without libconsort_chem.so: SMILES texts get a clear error, graphs are read as ever."""

    GRAPH = {"graph": {"nodes": [[5, 0], [5, 0], [7, 0]], "edges": [[0, 1], [1, 2]], "edge_features": [[0, 0]] * 2,
                       "undirected": True}}

    def test_without_the_library(self):
        with_it = self.lines("embed", "--model", "gnn-gcn", given=[self.GRAPH, {"smiles": "CCO"}])
        for library, why in ((self.path / "none.so", "is not beside the program"), (self.write("text.so", "no library"), "text.so")):
            self.environment["CONSORT_CHEM_LIBRARY"] = str(library)
            out = self.lines("embed", "--model", "gnn-gcn", given=[self.GRAPH, {"smiles": "CCO"}, self.GRAPH], expect=3)
            self.assertEqual(out[0], with_it[0])
            self.assertEqual(out[2], with_it[0])
            error = out[1]["error"]
            self.assertEqual(error["type"], "urn:consort:error:notFound")
            self.assertIn("SMILES texts cannot be read", error["detail"])
            self.assertIn(why, error["detail"])
            self.assertIn("JSON graph", json.dumps(error))
        path = self.workflow([{"see": {"call": "embed", "with": {"model": "gnn-gcn", "input": {"smiles": "CCO"}}}}])
        self.json_("run", path, expect=4)

    def test_the_same_molecule_as_smiles_and_as_a_graph(self):
        out = self.lines("embed", "--model", "gnn-gcn", given=[self.GRAPH, {"smiles": "CCO"}])
        self.assertEqual(out[0]["embedding"], out[1]["embedding"])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
