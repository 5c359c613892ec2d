"""The workloads of WebSocket clients: each talks to the same echo, and pays for itself."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.compare.contenders import OURS
from bench.compare.endpoints import endpoint
from bench.compare.figures import Figures
from bench.compare.measurement import ROOT, Setting
from bench.compare.process import Process, free_port
from bench.compare.servers import Offer, hoopsnake

PATIENCE_SECONDS = 60
APPLICATION = "bench.compare.apps.websocket_echo:app"

# The client, and the loop under it.
CLIENTS: Mapping[str, tuple[str, str]] = {
    OURS: ("hoopsnake", "hoopsnake"),
    "websockets on uvloop": ("websockets", "uvloop"),
    "aiohttp on uvloop": ("aiohttp", "uvloop"),
    "picows on uvloop": ("picows", "uvloop"),
}
RIVALS = tuple(name for name in CLIENTS if name != OURS)


@dataclass(frozen=True)
class WebSocketClientWorkload:
    """Messages of one size there and back, over so many connections at once, for a while."""

    key: str
    title: str
    message_bytes: int
    at_once: int = 64
    contenders: Sequence[str] = tuple(CLIENTS)
    most_rounds: int | None = None

    @property
    def loop_rows(self) -> Mapping[str, Sequence[str]]:
        """None: clients differ in more than their loop."""
        return {}

    def measure(self, contender: str, setting: Setting) -> Figures:
        """Start the server, have the client talk to it, and take over what it prints."""
        client, loop = CLIENTS[contender]
        with endpoint("tcp", free_port()) as where:
            serving = hoopsnake(setting.programs, APPLICATION, where.port, Offer(websocket=True))
            talking = [
                *(str(setting.programs.python), "-m", "bench.compare.websocket_client_load"),
                *("--client", client, "--loop", loop, "--at-once", str(self.at_once)),
                *("--url", f"ws://127.0.0.1:{where.port}/", "--bytes", str(self.message_bytes)),
                *("--seconds", str(setting.seconds)),
            ]
            environment = {"PYTHONPATH": str(ROOT / "python")}
            cores = setting.cores.load
            with Process(serving, directory=ROOT, cores=cores, environment=environment) as server:
                server.wait_until_listening(where)
                with setting.start(talking) as process:
                    printed = process.output_at_end(PATIENCE_SECONDS)
                figures: dict[str, float] = json.loads(printed)
                return figures


WEBSOCKET_CLIENT_WORKLOADS = (
    WebSocketClientWorkload(
        key="client-websocket-64",
        title="Client: WebSocket echo of 64 bytes, 64 connections",
        message_bytes=64,
    ),
    WebSocketClientWorkload(
        key="client-websocket-64k",
        title="Client: WebSocket echo of 64 KiB, 64 connections",
        message_bytes=64 * 1024,
    ),
)
