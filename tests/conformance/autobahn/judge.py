"""The Autobahn test suite: where it is, how it is run, and what it says.

It runs on Python 2.7 alone. `python tests/conformance/autobahn/judge.py` installs it into
`.autobahn/`, where the machine has one; `make test-python` and `make autobahn` do that.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[3]
PACKAGES = ROOT / ".autobahn"
REQUIREMENTS = ROOT / "requirements" / "autobahn.txt"
INSTALLED = PACKAGES / "installed.txt"
AGENT = "hoopsnake"

# A folder of packages that is no environment: their .pth files want to be asked for.
PROGRAM = """
import site, sys
site.addsitedir(sys.argv[1])
sys.path.insert(0, sys.argv.pop(1))
from autobahntestsuite.wstest import run
run()
"""


class Verdict(NamedTuple):
    """What the suite thinks of one case: of the exchange, and of how it was closed."""

    case: str
    behavior: str
    close: str

    @property
    def is_good(self) -> bool:
        return {self.behavior, self.close} <= {"OK", "INFORMATIONAL"}

    @property
    def section(self) -> int:
        return int(self.case.split(".")[0])


def python2() -> str | None:
    """The path of a Python 2.7 that can check certificates and install packages."""
    for candidate in _candidates():
        tried = subprocess.run(
            [candidate, "-c", "import pip, ssl, sys, zlib; print(sys.version_info[:2])"],
            capture_output=True,
            text=True,
        )
        if tried.stdout.strip() == "(2, 7)":
            return candidate
    return None


def _candidates() -> Iterator[str]:
    if found := shutil.which("python2.7"):
        yield found
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from map(str, sorted(pyenv.glob("versions/2.7*/bin/python")))


def why_missing() -> str | None:
    """Why it cannot be run, or None if it can."""
    if python2() is None:
        return "there is no Python 2.7 with pip, which the Autobahn test suite needs"
    if not INSTALLED.exists():
        return "the Autobahn test suite is not installed: make autobahn does that"
    return None


def install() -> None:
    """Install it, where there is a Python 2.7, and once for each change of what is required."""
    interpreter = python2()
    if interpreter is None:
        print("no Python 2.7 with pip: the tests with the Autobahn test suite will be skipped")
        return
    required = REQUIREMENTS.read_text()
    if INSTALLED.exists() and INSTALLED.read_text() == required:
        return
    shutil.rmtree(PACKAGES, ignore_errors=True)
    options = ["--quiet", "--disable-pip-version-check", "--no-warn-script-location"]
    subprocess.run(
        [interpreter, "-m", "pip", "install", *options, "-t", PACKAGES, "-r", REQUIREMENTS],
        check=True,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    INSTALLED.write_text(required)


def judge(port: int, folder: Path, cases: list[str], limit_seconds: float) -> list[Verdict]:
    """Put a server to these cases, given by patterns; its reports go into `folder`."""
    server = {"agent": AGENT, "url": f"ws://127.0.0.1:{port}"}
    ended = subprocess.run(
        _command("fuzzingclient", folder, cases, {"servers": [server]}),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=limit_seconds,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return _verdicts(folder, ended.stdout + ended.stderr)


@contextlib.contextmanager
def judging(folder: Path, cases: list[str]) -> Iterator[str]:
    """Run the server that puts clients to these cases; the value is its URL.

    The client asks it for the number of cases, for each of them, and for the report.
    """
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    url = f"ws://127.0.0.1:{port}"
    command = [*_command("fuzzingserver", folder, cases, {"url": url}), "--webport", "0"]
    said = folder / "judge.txt"
    with said.open("w") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
    try:
        while not _listens(port):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
                raise AssertionError(said.read_text())
        yield url
    finally:
        process.kill()
        process.wait()


def verdicts_of_client(folder: Path) -> list[Verdict]:
    """Read what was found of a client that has asked for its report."""
    return _verdicts(folder, (folder / "judge.txt").read_text()[-2000:])


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def _command(mode: str, folder: Path, cases: list[str], other: dict[str, object]) -> list[str]:
    specification = folder / "cases.json"
    ours = {"outdir": str(folder / "reports"), "cases": cases}
    none = {"exclude-cases": [], "exclude-agent-cases": {}}
    specification.write_text(json.dumps({**ours, **none, **other}))
    interpreter = python2()
    assert interpreter is not None, why_missing()
    arguments = ["--mode", mode, "--spec", str(specification)]
    return [interpreter, "-c", PROGRAM, str(PACKAGES), *arguments]


def _verdicts(folder: Path, said: str) -> list[Verdict]:
    index = folder / "reports" / "index.json"
    assert index.exists(), said
    found = json.loads(index.read_text())[AGENT]
    return [Verdict(case, it["behavior"], it["behaviorClose"]) for case, it in found.items()]


def table(verdicts: list[Verdict]) -> str:
    """How many cases of each section had which verdict."""
    lines = ["section  cases  verdicts"]
    sections = sorted({verdict.section for verdict in verdicts})
    for section in sections:
        counted = Counter(it.behavior for it in verdicts if it.section == section)
        words = ", ".join(f"{number} {behavior}" for behavior, number in sorted(counted.items()))
        lines.append(f"{section:7}  {sum(counted.values()):5}  {words}")
    counted = Counter(it.behavior for it in verdicts)
    words = ", ".join(f"{number} {behavior}" for behavior, number in sorted(counted.items()))
    lines.append(f"    all  {len(verdicts):5}  {words}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(install())
