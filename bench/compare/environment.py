"""Makes what a run needs, the peers' environment and plain-hyper, and finds out its versions."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.compare.contenders import Programs
from bench.compare.faults import SetupFault
from bench.compare.measurement import ROOT

PEERS = ROOT / ".venv-bench"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
# Installed after them, without what they ask for.
ALONE = Path(__file__).with_name("requirements-alone.txt")
# Says for which interpreter and requirements the environment was finished.
STAMP = PEERS / ".installed"
COMMAND_SECONDS = 900
DISTRIBUTIONS = (
    *("uvicorn", "httptools", "zttp", "websockets", "uvloop", "granian", "fastpysgi", "hypercorn"),
    *("gunicorn", "gunicorn_h1c", "rloop"),
    *("fastapi", "starlette", "litestar", "blacksheep", "robyn"),
    *("pydantic", "msgspec", "orjson", "python-multipart"),
    *("aiohttp", "pyreqwest", "pyqwest", "punkreq", "httpunk", "httpx2", "h2", "niquests"),
)
FIND_VERSIONS = """
import importlib.metadata, json, platform, sys
import hoopsnake
print(json.dumps({
    "python": f"{platform.python_implementation()} {platform.python_version()}",
    "hoopsnake": hoopsnake.__version__,
    **{name: importlib.metadata.version(name) for name in sys.argv[1:]},
}))
"""


def prepare(interpreter: str, tell: Callable[[str], None]) -> Programs:
    """Install the peers for this interpreter and build plain-hyper, where that is not done yet."""
    python = install_peers(interpreter, tell)
    tell("building bench/plain-hyper")
    return Programs(python=python, plain_hyper=build_plain_hyper())


def install_peers(interpreter: str, tell: Callable[[str], None]) -> Path:
    """Make .venv-bench of the same interpreter as hoopsnake was built for."""
    identity = output_of(
        [interpreter, "-c", "import sys; print(sys.version, sys.base_prefix)"],
        f"the interpreter {interpreter}",
    )
    digest = hashlib.sha256(REQUIREMENTS.read_bytes() + ALONE.read_bytes()).hexdigest()
    stamp = f"{identity.strip()}\n{digest}\n"
    python = PEERS / "bin" / "python"
    if not STAMP.is_file() or STAMP.read_text() != stamp:
        tell(f"installing the peers into {PEERS.name}")
        output_of([interpreter, "-m", "venv", "--clear", str(PEERS)], f"making {PEERS.name}")
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        output_of([*pip, "--requirement", str(REQUIREMENTS)], "installing the peers")
        output_of([*pip, "--no-deps", "--requirement", str(ALONE)], "installing Robyn")
        STAMP.write_text(stamp)
    return python


def build_plain_hyper() -> Path:
    """Build the server without Python in release mode and say where it is."""
    if shutil.which("cargo") is None:
        raise SetupFault("cargo is missing: the bench builds its Rust programs with it")
    command = ["cargo", "build", "--release", "--locked", "--package", "plain-hyper"]
    # Cargo itself knows best where its output lies.
    messages = output_of([*command, "--message-format=json"], "building bench/plain-hyper")
    found = [json.loads(line).get("executable") for line in messages.splitlines()]
    executables = [Path(path) for path in found if path]
    if not executables:
        raise SetupFault("cargo built no program named plain-hyper")
    return executables[-1]


def versions(python: Path) -> dict[str, str]:
    """What is compared, with hoopsnake's commit; SetupFault when hoopsnake is not built for it."""
    found: dict[str, str] = json.loads(
        output_of(
            [str(python), "-c", FIND_VERSIONS, *DISTRIBUTIONS],
            "hoopsnake cannot be imported (`make build` with the same PYTHON builds it)",
            PYTHONPATH=str(ROOT / "python"),
        )
    )
    found["hoopsnake"] += commit()
    found["rustc"] = output_of(["rustc", "--version"], "rustc").split()[1]
    return found


def commit() -> str:
    """The commit that is measured, in brackets, or nothing where there is no history."""
    describe = ["git", "describe", "--always", "--dirty=, changed", "--exclude=*"]
    try:
        return f" ({output_of(describe, 'git').strip()})"
    except SetupFault:
        return ""


def build_profile() -> str:
    """How the extension module was built, as the Makefile's stamps beside the interpreter tell."""
    stamps = sorted(Path(sys.prefix, ".stamps").glob("built-*"))
    return stamps[0].name.removeprefix("built-") if len(stamps) == 1 else "unknown"


def output_of(command: Sequence[str], what: str, **environment: str) -> str:
    """What a command prints; SetupFault with its own last words when it fails."""
    try:
        ended = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise SetupFault(f"{what}: {fault}") from fault
    if ended.returncode != 0:
        said = ended.stderr.strip() or ended.stdout.strip() or f"exit status {ended.returncode}"
        raise SetupFault(f"{what}:\n{said}")
    return ended.stdout
