"""The workloads whose server answers requests or messages as fast as it can, over each protocol."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bench.compare import answers, load
from bench.compare.contenders import OURS
from bench.compare.endpoints import Endpoint, endpoint
from bench.compare.faults import NotMeasured
from bench.compare.figures import Figures
from bench.compare.measurement import Setting, figures_of, measured_server
from bench.compare.of_servers import OfServers
from bench.compare.process import free_port
from bench.compare.servers import HTTP_SERVERS, STATIC_PREFIX, HttpCommand, Offer

HTTP_CONNECTIONS = 64
WEBSOCKET_CONNECTIONS = 50
HTTP2_CONNECTIONS = 8
STATIC_FILE = "file.txt"


@dataclass(frozen=True)
class HttpWorkload(OfServers):
    """wrk against a server."""

    key: str
    title: str
    application: str
    path: str
    is_right: answers.BodyCheck
    posted: answers.Posted | None = None
    connections: int = HTTP_CONNECTIONS
    servers: Sequence[tuple[str, HttpCommand]] = tuple(HTTP_SERVERS.items())
    tls: bool = False
    static: bytes | None = None
    """What the file has that is served under /static, where one is."""
    statuses: Mapping[str, int] = field(default_factory=dict)
    """By contender, what it answers with where that is not 200."""
    most_rounds: int | None = None

    def measure(self, contender: str, setting: Setting) -> Figures:
        """Start the server, check its answers, warm it up, load it, end it."""
        status = self.statuses.get(contender, 200)
        with (
            endpoint("tls" if self.tls else "tcp", free_port()) as where,
            static_folder(self.static) as folder,
        ):
            scheme = "https" if self.tls else "http"

            def put_load(seconds: int) -> load.Load:
                return load.wrk(
                    f"{scheme}://127.0.0.1:{where.port}{self.path}",
                    connections=self.connections,
                    seconds=seconds,
                    cores=setting.cores.load,
                    posted=self.posted,
                    status=status,
                )

            offer = Offer(certificate=where.certificate, static=folder)
            return measured_server(
                dict(self.servers)[contender](
                    setting.programs, self.application, where.port, offer
                ),
                where,
                setting,
                check=lambda: answers.check_http(
                    where, self.path, self.is_right, self.posted, status
                ),
                put_load=put_load,
            )


@contextmanager
def static_folder(content: bytes | None) -> Iterator[Path | None]:
    """Make a folder with the one file that is to be served; it goes afterwards."""
    if content is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        Path(folder, STATIC_FILE).write_bytes(content)
        # A server may look for files as somebody else than whoever made the folder.
        Path(folder).chmod(0o755)
        yield Path(folder)


def static_path() -> str:
    """Where the file is found."""
    return f"{STATIC_PREFIX}/{STATIC_FILE}"


@dataclass(frozen=True)
class Http2Workload(OfServers):
    """h2load against a server, over HTTP/2 from the first byte."""

    key: str
    title: str
    application: str
    path: str
    body_bytes: int
    servers: Sequence[tuple[str, HttpCommand]]
    most_rounds: int | None = None

    def measure(self, contender: str, setting: Setting) -> Figures:
        """Start the server, warm it up, load it, end it; the load looks at the answers."""
        port = free_port()

        def put_load(seconds: int) -> load.Load:
            return load.h2load(
                f"http://127.0.0.1:{port}{self.path}",
                connections=HTTP2_CONNECTIONS,
                seconds=seconds,
                body=self.body_bytes,
                cores=setting.cores.load,
            )

        command = dict(self.servers)[contender]
        return measured_server(
            command(setting.programs, self.application, port, Offer(http2=True)),
            Endpoint(port=port),
            setting,
            check=unasked,
            put_load=put_load,
        )


@dataclass(frozen=True)
class WebSocketWorkload(OfServers):
    """Messages over WebSockets, each sent when the last has come back."""

    key: str
    title: str
    application: str
    size: int
    servers: Sequence[tuple[str, HttpCommand]]
    most_rounds: int | None = None

    def measure(self, contender: str, setting: Setting) -> Figures:
        """Start the server, warm it up, load it, end it; the load looks at every byte."""
        where = Endpoint(port=free_port())

        def put_load(seconds: int) -> load.Load:
            return load.echo(
                setting.programs.plain_hyper,
                where,
                connections=WEBSOCKET_CONNECTIONS,
                size=self.size,
                seconds=seconds,
                cores=setting.cores.load,
                talk="websocket",
            )

        command = dict(self.servers)[contender]
        return measured_server(
            command(setting.programs, self.application, where.port, Offer(websocket=True)),
            where,
            setting,
            check=unasked,
            put_load=put_load,
        )


@dataclass(frozen=True)
class FanOutWorkload(OfServers):
    """What one says and all are told, over WebSockets or as server-sent events."""

    key: str
    title: str
    what: Literal["chat", "events"]
    connections: int
    size: int
    ours: str
    theirs: str
    """The application, made with our framework and with FastAPI."""
    servers: Sequence[tuple[str, HttpCommand]]
    most_rounds: int | None = None

    def measure(self, contender: str, setting: Setting) -> Figures:
        """Start the server, warm it up, load it, end it; the load looks at every byte."""
        where = Endpoint(port=free_port())
        application = self.ours if contender == OURS else self.theirs
        offer = Offer(websocket=self.what == "chat")
        command = dict(self.servers)[contender](setting.programs, application, where.port, offer)
        with setting.start(command) as server:
            server.wait_until_listening(where)

            def put_load(seconds: int) -> tuple[load.Load, float]:
                return load.fan_out(
                    setting.programs.plain_hyper,
                    where,
                    what=self.what,
                    connections=self.connections,
                    size=self.size,
                    seconds=seconds,
                    cores=setting.cores.load,
                    cpu_seconds=server.cpu_seconds,
                )

            try:
                put_load(1)
                counted, cpu = put_load(setting.seconds)
            except NotMeasured as fault:
                raise NotMeasured(f"{fault}{server.last_words()}") from fault
            server.raise_if_ended()
            return figures_of(counted, cpu, server)


unasked: Callable[[], None] = lambda: None  # noqa: E731 – a check that the load makes itself
