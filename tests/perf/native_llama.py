"""llama.cpp's own program, built once from the source package of llama-cpp-python, and its start to the first token.

Of the programs in that package `llama-simple` starts fastest: no chat, no warm-up pass, a context no longer than needed.
It is built as the package builds its library (Release, this processor's instructions, OpenMP), linked statically."""
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "llama-cpp-python"
PROGRAM = "llama-simple"
OFF = ("BUILD_SHARED_LIBS", "LLAMA_BUILD_TESTS", "LLAMA_BUILD_TOOLS", "LLAMA_BUILD_SERVER", "LLAMA_BUILD_APP", "LLAMA_OPENSSL")
ON = ("GGML_NATIVE", "GGML_OPENMP", "LLAMA_BUILD_EXAMPLES")


def installed_version(python):
    asked = "import importlib.metadata as m; print(m.version('llama-cpp-python'))"
    done = subprocess.run([python, "-c", asked], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{python} has no {PACKAGE}: {done.stderr.strip()}")
    return done.stdout.strip()


def get_source(python, version, source):
    """The package's vendored llama.cpp under `source`. pip asks the package for its metadata and compiles nothing."""
    with tempfile.TemporaryDirectory(dir=source.parent) as folder:
        subprocess.run([python, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", folder,
                        f"{PACKAGE}=={version}"], check=True)
        (package,) = Path(folder).glob("*.tar.gz")
        with tarfile.open(package) as archive:
            members = [m for m in archive if "/vendor/llama.cpp/" in m.name]
            archive.extractall(folder, members, filter="data")
        (found,) = Path(folder).glob("*/vendor/llama.cpp")
        found.rename(source)


def native_program(python):
    """Path of the program of the version that `python` has; built on first use under build/perf-native/VERSION."""
    version = installed_version(python)
    home = ROOT / "build" / "perf-native" / version
    program, source = home / "build" / "bin" / PROGRAM, home / "llama.cpp"
    if program.exists():
        return str(program)
    for tool in ("cmake", "ninja"):
        if not shutil.which(tool):
            sys.exit(f"{tool} is missing: it builds the peer's native program")
    print(f"building {PROGRAM} of {PACKAGE} {version} in {home} (once; compiles for some minutes) ...", file=sys.stderr)
    home.mkdir(parents=True, exist_ok=True)
    if not source.exists():
        get_source(python, version, source)
    flags = [f"-D{name}=OFF" for name in OFF] + [f"-D{name}=ON" for name in ON] + ["-DCMAKE_BUILD_TYPE=Release"]
    log = home / "build.log"
    with log.open("w") as out:
        for command in (["cmake", "-S", source, "-B", home / "build", "-G", "Ninja", *flags],
                        ["nice", "ninja", "-C", home / "build", "-j2", PROGRAM]):
            if subprocess.run(command, stdout=out, stderr=subprocess.STDOUT).returncode != 0:
                sys.exit(f"the peer's native program could not be built: {log}")
    return str(program)


def native_command(program, model, prompt):
    return [program, "-m", str(model), "-ngl", "0", "-n", "1", prompt]


def native_environment(threads):
    """The program has no option for its threads (it asks for four); OpenMP gives it no more than this."""
    return {**os.environ, "OMP_THREAD_LIMIT": str(threads)}


def start_times(command, environment=None):
    """Seconds from starting a process to its first byte on standard output and to its end, and what it wrote."""
    with tempfile.TemporaryFile() as errors:
        begin = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                                   bufsize=0)
        first = process.stdout.read(1)
        first_s = time.perf_counter() - begin
        rest = process.stdout.read()
        code = process.wait()
        whole_s = time.perf_counter() - begin
        errors.seek(0)
        if code != 0 or not first:
            sys.exit(f"failed: {command[0]}: {errors.read().decode(errors='replace')[-500:]}")
    return first_s, whole_s, (first + rest).decode(errors="replace")
