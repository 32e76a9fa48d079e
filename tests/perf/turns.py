"""What the scripts of this folder share: the peer's environment, rounds taken in turns, the table, the JSON file."""
import argparse
import json
import os
import statistics
import subprocess
import sys
import textwrap
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 7
SETTLE_S = 0.2  # a peer's workers may spin for a while after a pass; neither side is measured beside them
READING = """
Ratio: how many times better the left side is than the right one (rates: left / right, times: right / left), taken in each
round, then the median; above 1 the left side is better. In brackets the least and the most of all rounds. Asked: what this
project holds itself to on a quiet machine. Ratios of one run compare, figures of different runs or machines do not; a
difference within the brackets is noise, and brackets wider than a tenth say that something else was running: repeat."""


def environment(folder, packages, modules, wanted=None, hint=""):
    """The Python of build/FOLDER, which is made and filled by pip on first use; `wanted`, if given, is taken instead."""
    if wanted:
        return str(wanted)
    home = ROOT / "build" / folder
    python = home / "bin" / "python"
    if not python.exists():
        venv.create(home, with_pip=True)
    if subprocess.run([python, "-c", "import " + ", ".join(modules)], capture_output=True).returncode != 0:
        print(f"installing {' '.join(packages)} into {home} {hint}...", file=sys.stderr)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    return str(python)


def options_of(description, peer, python_variable=None):
    """A parser with what every script takes: --consort, --python, --rounds, --json."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--consort", default=str(ROOT / "build" / "release" / "consort"), help="the binary")
    parser.add_argument("--python", default=os.environ.get(python_variable or "", None), help=f"a Python that has {peer}")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", metavar="FILE", help="also write every figure; - is standard output")
    return parser


def models_option(parser):
    parser.add_argument("--models-dir", default=os.environ.get("CONSORT_MODELS_DIR") or
                        str(Path.home() / ".cache" / "consort" / "models"))


def run_json(command, **more):
    """What a program prints, as JSON; its failure ends the script."""
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if done.returncode != 0:
        sys.exit(f"failed: {command[0]}: {(done.stderr or done.stdout)[-500:]}")
    return json.loads(done.stdout)


def in_turns(sides, rounds, about="", warm=1):
    """{side: its sample of each round}: every side once a round, A B A B. `sides`: {name: function of the round's number};
    round 0 warms files, caches and clocks and does not count. `warm` = 0: the sides are warm already."""
    samples = {name: [] for name in sides}
    for number in range(1 - warm, rounds + 1):
        for name, measure in sides.items():
            time.sleep(SETTLE_S)
            sample = measure(number)
            if number > 0:
                samples[name].append(sample)
        if sys.stderr.isatty():
            print(f"\r\033[K{about}: round {number} of {rounds}", end="" if number < rounds else "\r\033[K", file=sys.stderr)
    return samples


class Pipe:
    """A process that answers each line with a line, and idles in between."""

    def __init__(self, command, name):
        self.name = name
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.about = self.answer()  # it says when it is ready

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.name} failed")
        return json.loads(line)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def figures(samples):
    low, middle, high = statistics.quantiles(samples, n=4, method="inclusive") if len(samples) > 1 else samples * 3
    return {"median": middle, "min": min(samples), "max": max(samples), "quartiles": [low, high], "samples": samples}


def number(value):
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:.{digits}f}"


def spread(found):
    return f"{number(found['median'])} [{number(found['min'])} .. {number(found['max'])}]"


def machine():
    names = [line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    return {"processor": names[0] if names else "unknown", "cores": len(os.sched_getaffinity(0)), "load": os.getloadavg()[0]}


class Report:
    """Rows of two sides each: printed as they come, at the end how to read them, and all of it as JSON."""

    def __init__(self, script, options, width=40):
        self.out = {"script": script, "rounds": options.rounds, "machine": machine(), "rows": []}
        self.file, self.width = options.json, width
        about = self.out["machine"]
        print(f"{script}: {options.rounds} rounds, medians; {about['processor']}, {about['cores']} cores, load {about['load']:.1f}")
        if about["load"] > 0.5:
            print("the machine is busy: the times below say little", file=sys.stderr)
        self.line("row", "unit", "left: median [least .. most]", "right: median [least .. most]", "ratio", "asked")
        self.line("---", "---", "---", "---", "---", "---")

    def line(self, row, unit, left, right, ratio, asked):
        print(f"| {row:{self.width}} | {unit:8} | {left:38} | {right:43} | {ratio:23} | {asked:5} |", flush=True)

    def add(self, row, unit, left, right, asked=None, rate=False, **more):
        """`left`, `right`: (name, samples) of the same rounds. `rate`: more is better; otherwise the samples are times.
        `asked`: the least ratio wanted. `more` goes into the JSON."""
        ratios = [a / b if rate else b / a for a, b in zip(left[1], right[1], strict=True)]
        result = {"row": row, "unit": unit, **more, "left": {"side": left[0], **figures(left[1])},
                  "right": {"side": right[0], **figures(right[1])}, "ratio": figures(ratios), "asked": asked}
        self.out["rows"].append(result)
        self.line(row, unit, *(f"{side['side']} {spread(side)}" for side in (result["left"], result["right"])),
                  spread(result["ratio"]), "-" if asked is None else f"{asked:g}")
        self.keep()  # a run that is stopped leaves its rows

    def finish(self, reading):
        """`reading`: how to read this script's rows; what holds for all follows."""
        self.out["reading"] = " ".join(f"{reading} {READING}".split())
        print("\n" + textwrap.fill(self.out["reading"], 120))
        self.keep()
        if self.file == "-":
            print(json.dumps(self.out, indent=1))

    def keep(self):
        if self.file and self.file != "-":
            Path(self.file).write_text(json.dumps(self.out, indent=1) + "\n")
