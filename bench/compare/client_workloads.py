"""The workloads of HTTP clients: each asks the same server without Python, and pays for itself."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.compare.contenders import LIMIT, OURS
from bench.compare.endpoints import Endpoint, Kind, endpoint
from bench.compare.figures import Figures
from bench.compare.measurement import ROOT, Setting
from bench.compare.process import Process, free_port

HELLO_BYTES = 13
STREAM_BYTES = 16 * 1024
POST_BYTES = 100_000
PATIENCE_SECONDS = 60

# The client, and the loop under it: uvloop is the better of two for each of them. On asyncio's own
# loop pyreqwest 0.15.1 aborts the process at its end, as its threads come back to an interpreter
# that is gone.
CLIENTS: Mapping[str, tuple[str, str]] = {
    OURS: ("hoopsnake", "hoopsnake"),
    "pyreqwest on uvloop": ("pyreqwest", "uvloop"),
    "pyqwest on uvloop": ("pyqwest", "uvloop"),
    "punkreq on uvloop": ("punkreq", "uvloop"),
    "aiohttp on uvloop": ("aiohttp", "uvloop"),
    "httpx2 on uvloop": ("httpx2", "uvloop"),
    "niquests on uvloop": ("niquests", "uvloop"),
}
RIVALS = tuple(name for name in CLIENTS if name != OURS)
# niquests takes no certificate for an authority that may not sign others.
TLS_RIVALS = tuple(name for name in RIVALS if not name.startswith("niquests"))
# aiohttp has no HTTP/2.
HTTP2_RIVALS = tuple(name for name in TLS_RIVALS if not name.startswith("aiohttp"))


@dataclass(frozen=True)
class ClientWorkload:
    """One kind of request, so many at once, for a while."""

    key: str
    title: str
    path: str = ""
    expected: int = HELLO_BYTES
    at_once: int = 64
    post_bytes: int = 0
    kind: Kind = "tcp"
    http2: bool = False
    streams: bool = False
    creates: bool = False
    contenders: Sequence[str] = (*CLIENTS, LIMIT)
    most_rounds: int | None = None

    @property
    def loop_rows(self) -> Mapping[str, Sequence[str]]:
        """None: clients differ in more than their loop."""
        return {}

    def measure(self, contender: str, setting: Setting) -> Figures:
        """Start the server, have the client ask it, and take over what it prints."""
        with endpoint(self.kind, free_port()) as where:
            http2 = ["--http2"] if self.http2 else []
            serving = [str(setting.programs.plain_hyper), *where.arguments(), *http2]
            asking = (
                self._limit(setting, where)
                if contender == LIMIT
                else self._client(contender, setting, where)
            )
            cores = setting.cores.load
            with Process(serving, directory=ROOT, cores=cores, environment={}) as server:
                server.wait_until_listening(where)
                # Its own session and output, and an end whatever happens.
                with setting.start([*asking, *http2]) as process:
                    printed = process.output_at_end(PATIENCE_SECONDS)
                figures: dict[str, float] = json.loads(printed)
                return figures

    def _client(self, contender: str, setting: Setting, where: Endpoint) -> list[str]:
        """The program that runs one client."""
        client, loop = CLIENTS[contender]
        is_tls = where.certificate is not None
        asking = [
            *(str(setting.programs.python), "-m", "bench.compare.client_load"),
            *("--client", client, "--loop", loop, "--at-once", str(self.at_once)),
            *("--url", f"http{'s' * is_tls}://localhost:{where.port}/{self.path}"),
            *("--seconds", str(setting.seconds), "--post", str(self.post_bytes)),
            *("--expected", str(self.expected)),
            *(["--stream"] if self.streams else []),
            *(["--create"] if self.creates else []),
        ]
        if where.certificate is not None:
            asking += ["--authority", str(where.certificate / "chain.pem")]
        return asking

    def _limit(self, setting: Setting, where: Endpoint) -> list[str]:
        """The client without Python."""
        return [
            *(str(setting.programs.plain_hyper), *where.arguments(), "--fetch-load"),
            *("--connections", str(self.at_once), "--seconds", str(setting.seconds)),
            *("--path", f"/{self.path}", "--post", str(self.post_bytes)),
            *("--expected", str(self.expected)),
        ]


def hello(at_once: int) -> ClientWorkload:
    """Make the row of the smallest answer, so many at once."""
    key = "client-hello" if at_once == 64 else f"client-hello-{at_once}"
    shown = "one" if at_once == 1 else f"{at_once:,}"
    return ClientWorkload(key, f"Client: GET hello, {shown} in flight", at_once=at_once)


def body(name: str, length: int, *, at_once: int = 64) -> ClientWorkload:
    """Make the row of an answer of that length."""
    title = f"Client: GET of {length:,} bytes, {at_once} in flight"
    path = f"bytes/{length}"
    return ClientWorkload(f"client-{name}", title, path, expected=length, at_once=at_once)


CLIENT_WORKLOADS = (
    *(hello(at_once) for at_once in (64, 1, 16, 256, 1000)),
    body("1k", 1024),
    body("100k", 100_000),
    body("10m", 10_000_000, at_once=4),
    ClientWorkload(
        key="client-stream",
        title="Client: GET of 16 chunks of 1 KiB, read as they come, 64 in flight",
        path="stream",
        expected=STREAM_BYTES,
        streams=True,
    ),
    ClientWorkload(
        key="client-post-100k",
        title=f"Client: POST of {POST_BYTES:,} bytes, sent back, 64 in flight",
        path="echo",
        expected=POST_BYTES,
        post_bytes=POST_BYTES,
    ),
    ClientWorkload(
        key="client-tls",
        title="Client: GET hello over TLS, 64 in flight",
        kind="tls",
        contenders=(OURS, *TLS_RIVALS, LIMIT),
    ),
    ClientWorkload(
        key="client-http2",
        title="Client: GET hello over HTTP/2, 100 streams",
        at_once=100,
        kind="tls",
        http2=True,
        contenders=(OURS, *HTTP2_RIVALS, LIMIT),
    ),
    ClientWorkload(
        key="client-cold",
        title="Client: GET hello, a new connection for each, 16 in flight",
        path="once",
        at_once=16,
    ),
    ClientWorkload(
        key="client-create",
        title="Client: making one, after the first",
        creates=True,
        contenders=tuple(CLIENTS),
    ),
)
