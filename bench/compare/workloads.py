"""What is measured: the workloads, their names, and which of them a command line chooses."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.compare import answers, load, loop_workloads, loops
from bench.compare.apps import bodies
from bench.compare.contenders import HTTP_SERVERS, LIMIT, HttpCommand, echo_servers
from bench.compare.echo_workloads import (
    ECHO_CONNECTIONS,
    IDLE_CONNECTIONS,
    EchoWorkload,
    IdleWorkload,
)
from bench.compare.endpoints import Endpoint
from bench.compare.figures import Figures
from bench.compare.measurement import Setting, Workload, measured_server
from bench.compare.process import free_port

HTTP_CONNECTIONS = 64
WAITING_CONNECTIONS = 512
POST_BYTES = 10_000
LOOP_SECONDS = 60
ASGI_SERVERS = tuple((name, run) for name, run in HTTP_SERVERS.items() if name != LIMIT)


@dataclass(frozen=True)
class HttpWorkload:
    """wrk against a server."""

    key: str
    title: str
    application: str
    path: str
    is_right: answers.BodyCheck
    post_bytes: int = 0
    connections: int = HTTP_CONNECTIONS
    servers: Sequence[tuple[str, HttpCommand]] = tuple(HTTP_SERVERS.items())

    @property
    def contenders(self) -> Sequence[str]:
        """Who is measured."""
        return [name for name, _ in self.servers]

    @property
    def loop_rows(self) -> Mapping[str, Sequence[str]]:
        """None: servers differ in more than their loop."""
        return {}

    def measure(self, contender: str, setting: Setting) -> Figures:
        """Start the server, check its answers, warm it up, load it, end it."""
        port = free_port()
        method, body = ("POST", b"p" * self.post_bytes) if self.post_bytes else ("GET", None)

        def put_load(seconds: int) -> load.Load:
            return load.wrk(
                f"http://127.0.0.1:{port}{self.path}",
                connections=self.connections,
                seconds=seconds,
                post_bytes=self.post_bytes,
                cores=setting.cores.load,
            )

        return measured_server(
            dict(self.servers)[contender](setting.programs, self.application, port),
            Endpoint(port=port),
            setting,
            check=lambda: answers.check_http(port, method, self.path, body, self.is_right),
            put_load=put_load,
        )


@dataclass(frozen=True)
class LoopWorkload:
    """A suite of micro workloads, all in one process of each loop."""

    key: str
    title: str
    suite: loop_workloads.Suite
    contenders: Sequence[str] = loops.NAMES

    @property
    def loop_rows(self) -> Mapping[str, Sequence[str]]:
        """A row for each operation."""
        operations = loop_workloads.SUITES[self.suite]
        return {name: (f"{name}, CPU", f"{name}, wall") for name in operations}

    def measure(self, contender: str, setting: Setting) -> Figures:
        """Run them and take over the nanoseconds that they print."""
        command = [
            *(str(setting.programs.python), "-m", "bench.compare.loop_workloads"),
            *("--loop", contender, "--suite", self.suite, "--scale", str(setting.loop_scale)),
        ]
        # Its own session and output, and an end whatever happens.
        with setting.start(command) as process:
            printed = process.output_at_end(LOOP_SECONDS)
        figures: dict[str, float] = json.loads(printed)
        return figures


def tcp_echo(key: str, interface: str, size: int, says: str, *, limit: bool) -> EchoWorkload:
    """A TCP echo workload."""
    return EchoWorkload(
        key=key,
        title=f"TCP echo of {size // 1024} KiB, {says}, {ECHO_CONNECTIONS} connections",
        interface=interface,
        servers=echo_servers("tcp", limit=limit),
        size=size,
    )


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
        servers=ASGI_SERVERS,
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
        key="http-body-1k",
        title=f"GET of 1 KiB of JSON, raw ASGI, {HTTP_CONNECTIONS} connections",
        application="bench.compare.apps.bodies:app",
        path="/json",
        is_right=answers.exactly(bodies.JSON),
        servers=ASGI_SERVERS,
    ),
    HttpWorkload(
        key="http-body-10k",
        title=f"GET of {len(bodies.LARGE):,} bytes, raw ASGI, {HTTP_CONNECTIONS} connections",
        application="bench.compare.apps.bodies:app",
        path="/large",
        is_right=answers.exactly(bodies.LARGE),
        servers=ASGI_SERVERS,
    ),
    HttpWorkload(
        key="http-wait",
        title=f"GET that waits for 10 ms, raw ASGI, {WAITING_CONNECTIONS} connections",
        application="bench.compare.apps.wait:app",
        path="/",
        is_right=answers.exactly(b"Hello, World!"),
        connections=WAITING_CONNECTIONS,
        servers=ASGI_SERVERS,
    ),
    HttpWorkload(
        key="http-stream",
        title=f"GET of 16 chunks of 1 KiB, streamed, raw ASGI, {HTTP_CONNECTIONS} connections",
        application="bench.compare.apps.stream:app",
        path="/stream",
        is_right=answers.exactly(b"x" * 16 * 1024),
    ),
    tcp_echo("tcp-protocol", "protocol", 1024, "asyncio.Protocol", limit=True),
    tcp_echo("tcp-protocol-10k", "protocol", 10 * 1024, "asyncio.Protocol", limit=True),
    tcp_echo("tcp-protocol-100k", "protocol", 100 * 1024, "asyncio.Protocol", limit=True),
    tcp_echo("tcp-streams", "streams", 1024, "asyncio streams", limit=False),
    tcp_echo("tcp-streams-10k", "streams", 10 * 1024, "asyncio streams", limit=False),
    tcp_echo("tcp-streams-100k", "streams", 100 * 1024, "asyncio streams", limit=False),
    tcp_echo("tcp-buffered", "buffered", 1024, "asyncio.BufferedProtocol", limit=False),
    EchoWorkload(
        key="tls-protocol",
        title=f"TLS echo of 1 KiB, asyncio.Protocol, {ECHO_CONNECTIONS} connections",
        interface="protocol",
        servers=echo_servers("tls", limit=True),
        kind="tls",
    ),
    EchoWorkload(
        key="unix-protocol",
        title=f"Unix socket echo of 1 KiB, asyncio.Protocol, {ECHO_CONNECTIONS} connections",
        interface="protocol",
        servers=echo_servers("unix", limit=True),
        kind="unix",
    ),
    EchoWorkload(
        key="udp-protocol",
        title=f"UDP echo of 1 KiB, asyncio.DatagramProtocol, {ECHO_CONNECTIONS} client sockets",
        interface="protocol",
        servers=echo_servers("udp", limit=True),
        kind="udp",
    ),
    IdleWorkload(key="idle-connections", title=f"{IDLE_CONNECTIONS:,} open idle TCP connections"),
    LoopWorkload(key="loop", title="Inside one event loop", suite="loop"),
    LoopWorkload(key="subprocess", title="Subprocesses", suite="subprocess"),
)
# What --quick measures: the two workloads that have a threshold of their own, and the loop.
QUICK = ("http-hello", "tcp-protocol", "loop")


def chosen(only: Sequence[str]) -> list[Workload]:
    """The workloads of these names; all where nothing is asked.

    A name that no workload has stands for all that begin with it.
    """
    return [w for w in WORKLOADS if not only or any(is_meant(w.key, name) for name in only)]


def is_meant(key: str, name: str) -> bool:
    """Whether somebody who asks for this name wants this workload."""
    return key == name or (key.startswith(name) and all(w.key != name for w in WORKLOADS))
