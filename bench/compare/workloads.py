"""What is measured: the workloads, and how one contender is measured once under each of them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.compare import answers, load, loops, machine
from bench.compare.contenders import (
    ECHO_SERVERS,
    HTTP_SERVERS,
    LIMIT,
    EchoCommand,
    HttpCommand,
    Programs,
)
from bench.compare.faults import NotMeasured
from bench.compare.figures import Figures
from bench.compare.process import Process, free_port

ROOT = Path(__file__).parents[2]
HTTP_CONNECTIONS = 64
ECHO_CONNECTIONS = 50
ECHO_BYTES = 1024
POST_BYTES = 10_000
LOOP_SECONDS = 60


@dataclass(frozen=True)
class Setting:
    """What is the same for every measurement of a run."""

    programs: Programs
    cores: machine.Cores
    seconds: int
    """How long each load lasts, after one second to warm up."""
    loop_scale: float
    """How many operations the loop workloads do, as a share of the usual number."""

    @property
    def environment(self) -> dict[str, str]:
        """What every contender finds: hoopsnake, and the applications in bench/."""
        return {"PYTHONPATH": f"{ROOT / 'python'}:{ROOT}"}


class Workload(Protocol):
    """One table of the report."""

    @property
    def key(self) -> str:
        """The name on the command line."""

    @property
    def title(self) -> str:
        """What is done, for a reader."""

    @property
    def contenders(self) -> Sequence[str]:
        """Who is measured."""

    def measure(self, contender: str, setting: Setting) -> Figures:
        """Measure once, or raise NotMeasured."""


@dataclass(frozen=True)
class HttpWorkload:
    """wrk against a server."""

    key: str
    title: str
    application: str
    path: str
    is_right: answers.BodyCheck
    post_bytes: int = 0
    servers: Sequence[tuple[str, HttpCommand]] = tuple(HTTP_SERVERS.items())

    @property
    def contenders(self) -> Sequence[str]:
        """Who is measured."""
        return [name for name, _ in self.servers]

    def measure(self, contender: str, setting: Setting) -> Figures:
        """Start the server, check its answers, warm it up, load it, end it."""
        port = free_port()
        method, body = ("POST", b"p" * self.post_bytes) if self.post_bytes else ("GET", None)

        def put_load(seconds: int) -> load.Load:
            return load.wrk(
                f"http://127.0.0.1:{port}{self.path}",
                connections=HTTP_CONNECTIONS,
                seconds=seconds,
                post_bytes=self.post_bytes,
                cores=setting.cores.load,
            )

        return measured_server(
            dict(self.servers)[contender](setting.programs, self.application, port),
            port,
            setting,
            check=lambda: answers.check_http(port, method, self.path, body, self.is_right),
            put_load=put_load,
        )


@dataclass(frozen=True)
class EchoWorkload:
    """The echo load against one echo program on each of the loops."""

    key: str
    title: str
    interface: str
    servers: Sequence[tuple[str, EchoCommand]]

    @property
    def contenders(self) -> Sequence[str]:
        """Who is measured."""
        return [name for name, _ in self.servers]

    def measure(self, contender: str, setting: Setting) -> Figures:
        """Start the server, check its echo, warm it up, load it, end it."""
        port = free_port()

        def put_load(seconds: int) -> load.Load:
            return load.echo(
                setting.programs.plain_hyper,
                port,
                connections=ECHO_CONNECTIONS,
                size=ECHO_BYTES,
                seconds=seconds,
                cores=setting.cores.load,
            )

        return measured_server(
            dict(self.servers)[contender](setting.programs, self.interface, port),
            port,
            setting,
            check=lambda: answers.check_echo(port, ECHO_BYTES),
            put_load=put_load,
        )


@dataclass(frozen=True)
class LoopWorkload:
    """The micro workloads, all in one process of each loop."""

    key: str
    title: str
    contenders: Sequence[str] = loops.NAMES

    def measure(self, contender: str, setting: Setting) -> Figures:
        """Run them and take over the nanoseconds that they print."""
        command = [
            *(str(setting.programs.python), "-m", "bench.compare.loop_workloads"),
            *("--loop", contender, "--scale", str(setting.loop_scale)),
        ]
        # Its own session and output, and an end whatever happens.
        with Process(
            command,
            directory=ROOT,
            cores=setting.cores.server,
            environment=setting.environment,
        ) as process:
            printed = process.output_at_end(LOOP_SECONDS)
        figures: dict[str, float] = json.loads(printed)
        return figures


WORKLOADS: tuple[Workload, ...] = (
    HttpWorkload(
        key="http-hello",
        title=f"GET hello, raw ASGI, {HTTP_CONNECTIONS} connections",
        application="bench.compare.apps.hello:app",
        path="/",
        is_right=answers.exactly(b"Hello, World!"),
    ),
    HttpWorkload(
        key="http-json",
        title=f"GET typed JSON, FastAPI, {HTTP_CONNECTIONS} connections",
        application="bench.compare.apps.typed_json:app",
        path="/items/7?currency=CHF",
        is_right=answers.json_equal_to(
            {"id": 7, "name": "item 7", "price": 9.5, "currency": "CHF", "tags": ["new", "typed"]}
        ),
        servers=tuple((name, run) for name, run in HTTP_SERVERS.items() if name != LIMIT),
    ),
    HttpWorkload(
        key="http-post",
        title=f"POST of {POST_BYTES:,} bytes, sent back, raw ASGI, {HTTP_CONNECTIONS} connections",
        application="bench.compare.apps.echo:app",
        path="/echo",
        is_right=answers.exactly(b"p" * POST_BYTES),
        post_bytes=POST_BYTES,
    ),
    HttpWorkload(
        key="http-stream",
        title=f"GET of 16 chunks of 1 KiB, streamed, raw ASGI, {HTTP_CONNECTIONS} connections",
        application="bench.compare.apps.stream:app",
        path="/stream",
        is_right=answers.exactly(b"x" * 16 * 1024),
    ),
    EchoWorkload(
        key="tcp-protocol",
        title=f"TCP echo of 1 KiB, asyncio.Protocol, {ECHO_CONNECTIONS} connections",
        interface="protocol",
        servers=tuple(ECHO_SERVERS.items()),
    ),
    EchoWorkload(
        key="tcp-streams",
        title=f"TCP echo of 1 KiB, asyncio streams, {ECHO_CONNECTIONS} connections",
        interface="streams",
        servers=tuple((name, ECHO_SERVERS[name]) for name in loops.NAMES),
    ),
    LoopWorkload(key="loop", title="Inside one event loop"),
)
# What --quick measures: the two workloads that have a threshold, and the loop.
QUICK = ("http-hello", "tcp-protocol", "loop")


def chosen(only: Sequence[str]) -> list[Workload]:
    """The workloads whose names are, or begin with, one of these; all where nothing is asked."""
    return [w for w in WORKLOADS if not only or any(w.key.startswith(name) for name in only)]


def measured_server(
    command: Sequence[str],
    port: int,
    setting: Setting,
    *,
    check: Callable[[], None],
    put_load: Callable[[int], load.Load],
) -> Figures:
    """One server from start to end: its figures under load."""
    with Process(
        command,
        directory=ROOT,
        cores=setting.cores.server,
        environment=setting.environment,
    ) as server:
        server.wait_until_listening(port)
        try:
            check()
            put_load(1)
            before = server.cpu_seconds()
            counted = put_load(setting.seconds)
        except NotMeasured as fault:
            raise NotMeasured(f"{fault}{server.last_words()}") from fault
        cpu = server.cpu_seconds() - before
        server.raise_if_ended()
        return {
            "per_second": counted.per_second,
            "cpu_us": cpu / counted.answers * 1e6,
            "p50_us": counted.p50_us,
            "p99_us": counted.p99_us,
            "peak_mib": server.peak_memory() / 1024**2,
        }
