"""The load generators: wrk for HTTP/1.1, h2load for HTTP/2, our own Rust client for the rest."""

import json
import os
import re
import select
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.compare.answers import Posted
from bench.compare.endpoints import Endpoint
from bench.compare.faults import NotMeasured, SetupFault
from bench.compare.process import in_child

# What our own client says and expects: bytes that come back, a GET, or a WebSocket's message.
Talk = Literal["echo", "http", "websocket"]
REPORT = Path(__file__).with_name("report.lua")
WRK_IS_MISSING = """\
wrk is missing: the server workloads take their load from it.
Install it with `apt-get install wrk` (Debian, Ubuntu), or leave those workloads out:
`python -m bench.compare --only loop --only tcp`."""
H2LOAD_IS_MISSING = """\
h2load is missing: the workloads of HTTP/2 take their load from it.
Install it with `apt-get install nghttp2-client` (Debian, Ubuntu), or leave those workloads out."""
OPENING_SECONDS = 90.0
# Streams that each connection of HTTP/2 has open.
STREAMS = 8


@dataclass(frozen=True)
class Load:
    """What a load generator counted."""

    answers: int
    per_second: float
    p50_us: float
    p99_us: float


@dataclass(frozen=True)
class Answered:
    """What became of the requests of a load at a rate."""

    good: int
    """Answered with 200 in time."""
    refused: int
    """Answered with another status."""
    late: int
    """Not answered in time, and given up."""
    broken: int
    """Broken off, or not begun because the server could not be connected to."""
    p50_us: float
    p99_us: float
    """Of the good ones, from when they were due."""


def find_wrk() -> str:
    """The path of wrk, or a SetupFault that says how to get it."""
    path = shutil.which("wrk")
    if path is None:
        raise SetupFault(WRK_IS_MISSING)
    return path


def wrk(
    url: str,
    *,
    connections: int,
    seconds: int,
    cores: Sequence[int] | None,
    posted: Posted | None = None,
    status: int = 200,
) -> Load:
    """Load a URL from one wrk thread; one request without the right status makes it NotMeasured."""
    command = [find_wrk(), "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
    environment = {"BENCH_STATUS": str(status)}
    with tempfile.NamedTemporaryFile(prefix="wrk-") as body:
        if posted is not None:
            body.write(posted.body)
            body.flush()
            environment |= {"BENCH_BODY": body.name, "BENCH_CONTENT_TYPE": posted.content_type}
        printed = _run(
            [*command, "-s", str(REPORT), url],
            seconds=seconds,
            cores=cores,
            environment=environment,
        )
    return parse_wrk(printed)


def find_h2load() -> str:
    """The path of h2load, or a SetupFault that says how to get it."""
    path = shutil.which("h2load")
    if path is None:
        raise SetupFault(H2LOAD_IS_MISSING)
    return path


def h2load(
    url: str, *, connections: int, seconds: int, body: int, cores: Sequence[int] | None
) -> Load:
    """Load a URL over HTTP/2; an answer that is no 200 of `body` bytes makes it NotMeasured."""
    with tempfile.NamedTemporaryFile("r", prefix="h2load-") as log:
        printed = _run(
            [
                *(find_h2load(), "--threads=1", f"--clients={connections}", f"-m{STREAMS}"),
                *(f"--duration={seconds}", f"--log-file={log.name}", url),
            ],
            seconds=seconds,
            cores=cores,
            environment={},
        )
        return parse_h2load(printed, log.read(), seconds, body)


def at_rate(
    binary: Path,
    endpoint: Endpoint,
    *,
    rate: float,
    connections: int,
    seconds: float,
    deadline: float,
    cores: Sequence[int] | None,
) -> Answered:
    """Ask so often, whether the server keeps up or not."""
    printed = _run(
        [
            *(str(binary), "--rate-load", *endpoint.arguments(), "--rate", f"{rate:.1f}"),
            *("--connections", str(connections), "--seconds", str(seconds)),
            *("--deadline", str(deadline)),
        ],
        seconds=int(seconds + deadline) + 1,
        cores=cores,
        environment={},
    )
    found = _last_line(printed)
    return Answered(
        good=int(found["good"]),
        refused=int(found["refused"]),
        late=int(found["late"]),
        broken=int(found["broken"]),
        p50_us=found["p50_us"],
        p99_us=found["p99_us"],
    )


def echo(
    binary: Path,
    endpoint: Endpoint,
    *,
    connections: int,
    size: int,
    seconds: int,
    cores: Sequence[int] | None,
    talk: Talk = "echo",
) -> Load:
    """Load a server that never rests; the client itself checks every answer."""
    printed = _run(
        [
            *(str(binary), "--echo-load", *endpoint.arguments(), "--talk", talk),
            *("--connections", str(connections), "--size", str(size)),
            *("--seconds", str(seconds)),
        ],
        seconds=seconds,
        cores=cores,
        environment={},
    )
    return parse_echo(printed)


def fan_out(
    binary: Path,
    endpoint: Endpoint,
    *,
    what: Literal["chat", "events"],
    connections: int,
    size: int,
    seconds: int,
    cores: Sequence[int] | None,
    cpu_seconds: Callable[[], float],
) -> tuple[Load, float]:
    """Say something, wait until all have heard it, and so on; an answer is one delivery.

    Returns with it the CPU that the server took for it, connecting and leaving apart.
    """
    command = [
        *(str(binary), f"--{what}-load", *endpoint.arguments()),
        *("--connections", str(connections), "--size", str(size), "--seconds", str(seconds)),
    ]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=in_child(cores),
    ) as running:
        try:
            _next_line(running, OPENING_SECONDS)
            before = cpu_seconds()
            counted = _next_line(running, seconds + OPENING_SECONDS)
            return parse_echo(counted), cpu_seconds() - before
        finally:
            running.kill()


def _next_line(running: subprocess.Popen[str], seconds: float) -> str:
    assert running.stdout is not None and running.stderr is not None
    # The client gives up by itself; this is for one that hangs.
    if not select.select([running.stdout], [], [], seconds)[0]:
        raise NotMeasured("the load hangs")
    line = running.stdout.readline()
    if not line:
        raise NotMeasured(f"the load failed: {running.stderr.read().strip()}")
    return line


@contextmanager
def held_open(
    binary: Path,
    endpoint: Endpoint,
    *,
    connections: int,
    size: int,
    cores: Sequence[int] | None,
    talk: Talk = "echo",
) -> Iterator[float]:
    """Hold connections open that had one answer; the value is how many seconds that took."""
    with subprocess.Popen(
        [
            *(str(binary), "--idle-load", *endpoint.arguments(), "--talk", talk),
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


def parse_h2load(printed: str, log: str, seconds: int, body: int) -> Load:
    """Read h2load's summary, and its log of one line per request: when, status, microseconds."""
    counts = re.search(r"requests: .* (\d+) done, (\d+) succeeded", printed)
    traffic = re.search(r"\((\d+)\) data", printed)
    if counts is None or traffic is None:
        raise NotMeasured(f"h2load printed no figures: {printed.strip()[-200:]}")
    done, good = int(counts[1]), int(counts[2])
    rows = [line.split() for line in log.splitlines()]
    if not good or good != done or any(row[1] != "200" for row in rows):
        raise NotMeasured(f"under load {done - good} of {done} requests were not answered well")
    # Answers that were under way at the end count as traffic and not as requests.
    answers = int(traffic[1]) / body
    if not good * 0.99 <= answers <= good * 1.01 + 1000:
        raise NotMeasured(f"under load {good} answers had {traffic[1]} bytes, not {body} each")
    took = sorted(int(row[2]) for row in rows)
    return Load(
        answers=good,
        per_second=good / seconds,
        p50_us=took[len(took) // 2],
        p99_us=took[len(took) * 99 // 100],
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
