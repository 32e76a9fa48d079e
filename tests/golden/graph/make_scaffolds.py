#!/usr/bin/env python3
"""Writes data/scaffolds.jsonl: the Bemis-Murcko scaffold of every molecule of data/molecules.jsonl.

Usage: make_scaffolds.py   (needs rdkit from PyPI)
"""
import json
import pathlib

from rdkit.Chem.Scaffolds import MurckoScaffold

DATA = pathlib.Path(__file__).resolve().parent / "data"
with (DATA / "scaffolds.jsonl").open("w") as out:
    for line in (DATA / "molecules.jsonl").read_text().splitlines():
        record = json.loads(line)
        scaffold = MurckoScaffold.MurckoScaffoldSmiles(smiles=record["smiles"], includeChirality=False)
        out.write(json.dumps({"id": record["id"], "smiles": record["smiles"], "scaffold": scaffold}) + "\n")
