"""The two load generators: wrk for HTTP, our own Rust client for the echoes."""

import json
import os
import select
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.compare.endpoints import Endpoint
from bench.compare.faults import NotMeasured, SetupFault
from bench.compare.process import in_child

REPORT = Path(__file__).with_name("report.lua")
WRK_IS_MISSING = """\
wrk is missing: the server workloads take their load from it.
Install it with `apt-get install wrk` (Debian, Ubuntu), or leave those workloads out:
`python -m bench.compare --only loop --only tcp`."""
OPENING_SECONDS = 90.0


@dataclass(frozen=True)
class Load:
    """What a load generator counted."""

    answers: int
    per_second: float
    p50_us: float
    p99_us: float


def find_wrk() -> str:
    """The path of wrk, or a SetupFault that says how to get it."""
    path = shutil.which("wrk")
    if path is None:
        raise SetupFault(WRK_IS_MISSING)
    return path


def wrk(
    url: str, *, connections: int, seconds: int, post_bytes: int, cores: Sequence[int] | None
) -> Load:
    """Load a URL from one wrk thread; one broken or failed request makes it NotMeasured."""
    command = [find_wrk(), "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
    printed = _run(
        [*command, "-s", str(REPORT), url],
        seconds=seconds,
        cores=cores,
        environment={"BENCH_POST_BYTES": str(post_bytes)},
    )
    return parse_wrk(printed)


def echo(
    binary: Path,
    endpoint: Endpoint,
    *,
    connections: int,
    size: int,
    seconds: int,
    cores: Sequence[int] | None,
) -> Load:
    """Load an echo server; the client itself checks every echoed byte."""
    printed = _run(
        [
            *(str(binary), "--echo-load", *endpoint.arguments()),
            *("--connections", str(connections), "--size", str(size)),
            *("--seconds", str(seconds)),
        ],
        seconds=seconds,
        cores=cores,
        environment={},
    )
    return parse_echo(printed)


@contextmanager
def held_open(
    binary: Path, endpoint: Endpoint, *, connections: int, size: int, cores: Sequence[int] | None
) -> Iterator[float]:
    """Hold connections open that have echoed once; the value is how many seconds that took."""
    with subprocess.Popen(
        [
            *(str(binary), "--idle-load", *endpoint.arguments()),
            *("--connections", str(connections), "--size", str(size)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=in_child(cores),
    ) as load:
        assert load.stdout is not None and load.stderr is not None
        try:
            # The client gives up by itself; this is for one that hangs.
            if not select.select([load.stdout], [], [], OPENING_SECONDS)[0]:
                raise NotMeasured("the load opened no connections: it hangs")
            printed = load.stdout.readline()
            if not printed:
                raise NotMeasured(f"the load failed: {load.stderr.read().strip()}")
            yield _last_line(printed)["seconds"]
        finally:
            load.kill()


def parse_wrk(printed: str) -> Load:
    """Read what wrk prints with report.lua; NotMeasured when one request was not answered well."""
    found = _last_line(printed)
    if found["bad_status"] or found["broken"]:
        raise NotMeasured(
            f"under load {found['bad_status']:.0f} answers had a bad status "
            f"and {found['broken']:.0f} requests broke off"
        )
    if not found["requests"]:
        raise NotMeasured("under load no request was answered")
    return Load(
        answers=int(found["requests"]),
        per_second=found["requests"] / found["microseconds"] * 1e6,
        p50_us=found["p50_us"],
        p99_us=found["p99_us"],
    )


def parse_echo(printed: str) -> Load:
    """Read what `plain-hyper --echo-load` prints."""
    found = _last_line(printed)
    if not found["messages"]:
        raise NotMeasured("under load no message was echoed")
    return Load(
        answers=int(found["messages"]),
        per_second=found["per_second"],
        p50_us=found["p50_us"],
        p99_us=found["p99_us"],
    )


def _last_line(printed: str) -> dict[str, float]:
    lines = printed.strip().splitlines()
    try:
        found: dict[str, float] = json.loads(lines[-1])
    except (IndexError, ValueError):
        raise NotMeasured(f"the load printed no figures: {lines[-1:]}") from None
    return found


def _run(
    command: Sequence[str],
    *,
    seconds: int,
    cores: Sequence[int] | None,
    environment: Mapping[str, str],
) -> str:
    try:
        ended = subprocess.run(
            command,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=seconds + 30,
            preexec_fn=in_child(cores),
        )
    except subprocess.TimeoutExpired:
        raise NotMeasured("the load did not end: the server holds its connections") from None
    if ended.returncode != 0:
        raise NotMeasured(f"the load failed: {(ended.stderr or ended.stdout).strip()}")
    return ended.stdout
