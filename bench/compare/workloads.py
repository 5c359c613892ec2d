"""What is measured: the workloads, their names, and which of them a command line chooses."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.compare import answers, load, loop_workloads, loops
from bench.compare.apps import bodies
from bench.compare.client_workloads import CLIENT_WORKLOADS
from bench.compare.contenders import LIMIT, OURS, EchoCommand, echo_servers
from bench.compare.echo_workloads import (
    ECHO_CONNECTIONS,
    IDLE_CONNECTIONS,
    EchoWorkload,
    IdleWorkload,
)
from bench.compare.figures import Figures
from bench.compare.http_workloads import (
    HTTP2_CONNECTIONS,
    HTTP_CONNECTIONS,
    WEBSOCKET_CONNECTIONS,
    FanOutWorkload,
    Http2Workload,
    HttpWorkload,
    WebSocketWorkload,
    static_path,
)
from bench.compare.httpx_workloads import HTTPX_WORKLOADS
from bench.compare.measurement import Setting, Workload
from bench.compare.rate_workloads import (
    CalmWorkload,
    OverloadedServer,
    OverloadWorkload,
    StartWorkload,
)
from bench.compare.servers import (
    HTTP_SERVERS,
    UVICORN_ZTTP,
    HttpCommand,
    Offer,
    granian,
    hoopsnake,
    servers,
    uvicorn,
)
from bench.compare.web_workloads import WEB_WORKLOADS
from bench.compare.websocket_client_workloads import WEBSOCKET_CLIENT_WORKLOADS

WAITING_CONNECTIONS = 512
POST_BYTES = 10_000
LOOP_SECONDS = 60
STATIC_BYTES = 50_000
HELLO = "bench.compare.apps.hello:app"
WEBSOCKET = "bench.compare.apps.websocket_echo:app"
# Those that come near the best. hypercorn and gunicorn take two to ten times as much for GET hello,
# where they are measured, as they are with what else only few can do.
FAST_SERVERS = servers("uvicorn", "granian", "fastpysgi")
WEBSOCKET_SERVERS = servers("uvicorn", "granian", "hypercorn", "gunicorn")


@dataclass(frozen=True)
class LoopWorkload:
    """A suite of micro workloads, all in one process of each loop."""

    key: str
    title: str
    suite: loop_workloads.Suite
    contenders: Sequence[str] = loops.NAMES
    most_rounds: int | None = None

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


def websocket_echo(key: str, says: str, size: int) -> WebSocketWorkload:
    """Echo messages of one size."""
    return WebSocketWorkload(
        key=key,
        title=f"WebSocket echo of {says}, raw ASGI, {WEBSOCKET_CONNECTIONS} connections",
        application=WEBSOCKET,
        size=size,
        servers=WEBSOCKET_SERVERS,
    )


def fan_out(what: Literal["chat", "events"], says: str) -> FanOutWorkload:
    """Tell a thousand clients the same."""
    return FanOutWorkload(
        key=f"fan-out-{what}",
        title=f"{says}, our framework on our server and FastAPI on the others; each is a delivery",
        what=what,
        connections=1000,
        size=100,
        ours="bench.compare.apps.fan_out_ours:app",
        theirs="bench.compare.apps.fan_out_fastapi:app",
        servers=servers("uvicorn", "granian"),
    )


def over_http(command: HttpCommand, application: str, offer: Offer) -> EchoCommand:
    """Start a server where an echo program is asked for."""
    return lambda programs, _interface, where: command(programs, application, where.port, offer)


WORKLOADS: tuple[Workload, ...] = (
    HttpWorkload(
        key="http-hello",
        title=f"GET hello, raw ASGI, {HTTP_CONNECTIONS} connections",
        application=HELLO,
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
        servers=FAST_SERVERS,
    ),
    HttpWorkload(
        key="http-post",
        title=f"POST of {POST_BYTES:,} bytes, sent back, raw ASGI, {HTTP_CONNECTIONS} connections",
        application="bench.compare.apps.echo:app",
        path="/echo",
        is_right=answers.exactly(b"p" * POST_BYTES),
        posted=answers.Posted(b"p" * POST_BYTES),
        servers=(*FAST_SERVERS, (LIMIT, HTTP_SERVERS[LIMIT])),
    ),
    HttpWorkload(
        key="http-body-1k",
        title=f"GET of 1 KiB of JSON, raw ASGI, {HTTP_CONNECTIONS} connections",
        application="bench.compare.apps.bodies:app",
        path="/json",
        is_right=answers.exactly(bodies.JSON),
        servers=FAST_SERVERS,
    ),
    HttpWorkload(
        key="http-body-10k",
        title=f"GET of {len(bodies.LARGE):,} bytes, raw ASGI, {HTTP_CONNECTIONS} connections",
        application="bench.compare.apps.bodies:app",
        path="/large",
        is_right=answers.exactly(bodies.LARGE),
        servers=FAST_SERVERS,
    ),
    HttpWorkload(
        key="http-wait",
        title=f"GET that waits for 10 ms, raw ASGI, {WAITING_CONNECTIONS} connections",
        application="bench.compare.apps.wait:app",
        path="/",
        is_right=answers.exactly(b"Hello, World!"),
        connections=WAITING_CONNECTIONS,
        servers=FAST_SERVERS,
    ),
    HttpWorkload(
        key="http-stream",
        title=f"GET of 16 chunks of 1 KiB, streamed, raw ASGI, {HTTP_CONNECTIONS} connections",
        application="bench.compare.apps.stream:app",
        path="/stream",
        is_right=answers.exactly(b"x" * 16 * 1024),
        servers=(*FAST_SERVERS, (LIMIT, HTTP_SERVERS[LIMIT])),
    ),
    HttpWorkload(
        key="http-static",
        title=f"GET of a static file of {STATIC_BYTES:,} bytes, {HTTP_CONNECTIONS} connections",
        application=HELLO,
        path=static_path(),
        is_right=answers.exactly(b"s" * STATIC_BYTES),
        static=b"s" * STATIC_BYTES,
        servers=servers("uvicorn", "granian"),
    ),
    HttpWorkload(
        key="https-hello",
        title=f"GET hello over TLS, raw ASGI, {HTTP_CONNECTIONS} connections",
        application=HELLO,
        path="/",
        is_right=answers.exactly(b"Hello, World!"),
        tls=True,
        servers=servers("uvicorn", UVICORN_ZTTP, "granian", "hypercorn", "gunicorn", LIMIT),
    ),
    Http2Workload(
        key="http2-hello",
        title=f"GET hello over HTTP/2, raw ASGI, {HTTP2_CONNECTIONS} connections of {load.STREAMS} "
        "streams",
        application=HELLO,
        path="/",
        body_bytes=13,
        servers=servers(UVICORN_ZTTP, "granian", "hypercorn", "gunicorn", LIMIT),
    ),
    websocket_echo("websocket-64", "64 bytes", 64),
    websocket_echo("websocket-64k", "64 KiB", 64 * 1024),
    *WEB_WORKLOADS,
    fan_out("chat", "Chat: a text of 100 bytes told to 1,000 WebSockets"),
    fan_out("events", "Server-sent events: 100 bytes told to 1,000 clients"),
    CalmWorkload(
        key="calm-hello",
        title="GET hello at 70 % of each server's best, raw ASGI, evenly spread",
        application=HELLO,
        servers=servers("uvicorn", "granian", "fastpysgi", LIMIT),
    ),
    OverloadWorkload(
        key="overload",
        title="Ten times the requests that a pool of eight places can serve, deadline 250 ms",
        application="bench.compare.apps.limited:app",
        servers={
            OURS: OverloadedServer(
                hoopsnake,
                ("--concurrency", "16", "--queue", "64"),
                admin_option="--admin",
                health="/health/ready",
            ),
            # Both turn requests away above so many connections; they have no second address.
            "uvicorn": OverloadedServer(uvicorn, ("--limit-concurrency", "80")),
            "granian": OverloadedServer(granian, ("--backpressure", "80")),
        },
        most_rounds=1,
    ),
    StartWorkload(
        key="start",
        title="From the start to the first byte of an answer, raw ASGI",
        application=HELLO,
        servers=servers("uvicorn", "granian", "fastpysgi", "hypercorn", "gunicorn"),
        most_rounds=1,
    ),
    IdleWorkload(
        key="idle-http",
        title=f"{IDLE_CONNECTIONS:,} idle keep-alive connections",
        servers=tuple(
            (name, over_http(command, HELLO, Offer()))
            for name, command in servers("uvicorn", "granian", LIMIT)
        ),
        talk="http",
        settling=3.0,
        most_rounds=1,
    ),
    IdleWorkload(
        key="idle-websockets",
        title=f"{IDLE_CONNECTIONS:,} idle WebSockets",
        servers=tuple(
            (name, over_http(command, WEBSOCKET, Offer(websocket=True)))
            for name, command in servers("uvicorn", "granian")
        ),
        talk="websocket",
        settling=3.0,
        most_rounds=1,
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
    *CLIENT_WORKLOADS,
    *WEBSOCKET_CLIENT_WORKLOADS,
    *HTTPX_WORKLOADS,
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
