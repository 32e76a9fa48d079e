#!/usr/bin/env python3
"""Reads every #include against the house's direction: protocols -> agents -> scheduler -> models -> kernels -> memory.

Also: no JSON library in headers of memory/, kernels/, models/ and scheduler/; no file over 500 lines; no raw
intrinsics outside kernels/. Exit status 1 with one line for each finding.
"""
import pathlib
import re
import sys

ORDER = ["protocols", "agents", "scheduler", "models", "kernels", "memory"]
INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]')
MAX_LINES = 500


def findings(root):
    for place, folder in enumerate(ORDER):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in {".h", ".cpp", ".cu", ".cuh"}:
                continue
            text = path.read_text(encoding="utf-8")
            name = path.relative_to(root)
            lines = text.splitlines()
            if len(lines) > MAX_LINES:
                yield f"{name}: {len(lines)} lines, the house allows {MAX_LINES}"
            if path.suffix == ".h" and "#pragma once" not in text:
                yield f"{name}: no #pragma once"
            for number, line in enumerate(lines, 1):
                found = INCLUDE.match(line)
                if not found:
                    continue
                target = found.group(1)
                top = target.split("/")[0]
                if top in ORDER and ORDER.index(top) < place:
                    yield f"{name}:{number}: {folder}/ may not include {target}"
                if path.suffix == ".h" and top == "nlohmann":
                    yield f"{name}:{number}: nlohmann_json in a header"
                if top == "immintrin.h" and folder != "kernels":
                    yield f"{name}:{number}: raw intrinsics outside kernels/"


def main():
    found = list(findings(pathlib.Path(sys.argv[1])))
    print("\n".join(found) if found else "layering: every include points to the right")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
