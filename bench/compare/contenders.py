"""Who is compared: the command that starts each server, in the best shape its options allow."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.compare.endpoints import Endpoint, Kind

OURS = "hoopsnake"
LIMIT = "plain hyper"
PLAIN_ECHO = "plain tokio"


@dataclass(frozen=True)
class Programs:
    """What the contenders are started with."""

    python: Path
    """Of the bench's environment, which has all peers; hoopsnake is imported from python/."""
    plain_hyper: Path


# Takes the programs, where the application is (`module:attribute`) and a port on 127.0.0.1.
HttpCommand = Callable[[Programs, str, int], list[str]]
# Takes the programs, which of asyncio's interfaces it uses, and where it listens.
EchoCommand = Callable[[Programs, str, Endpoint], list[str]]


def hoopsnake(programs: Programs, application: str, port: int) -> list[str]:
    """Run `hoop serve`, by its module."""
    return [
        *(str(programs.python), "-m", "hoopsnake", "serve", application),
        *("--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"),
    ]


def uvicorn(programs: Programs, application: str, port: int) -> list[str]:
    """Run the usual fast set-up: uvloop, httptools, no access log."""
    return [
        *(str(programs.python), "-m", "uvicorn", application),
        *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"),
    ]


def granian(programs: Programs, application: str, port: int) -> list[str]:
    """Run one worker over ASGI, on the loop and in the runtime mode that cost it least."""
    return [
        *(str(programs.python), "-m", "granian", "--interface", "asgi", application),
        *("--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--no-log"),
        # HTTP/1.1 alone and no WebSocket spare it a look at each connection.
        *("--http", "1", "--no-ws", "--loop", "uvloop"),
        # Of one to four threads, and one or two in the other mode, this took the least CPU: a
        # fifth less than its defaults, with the server on a core of its own.
        *("--runtime-mode", "st", "--runtime-threads", "2", "--http1-pipeline-flush"),
    ]


def fastpysgi(programs: Programs, application: str, port: int) -> list[str]:
    """Run it by its API: uvloop, which spares it a seventh of its CPU, is no option of its own."""
    return [
        *(str(programs.python), "-m", "bench.compare.fastpysgi_server", application),
        *("--port", str(port)),
    ]


def plain_hyper(programs: Programs, _application: str, port: int) -> list[str]:
    """Run the server without Python, which has each workload's answer at its path."""
    return [str(programs.plain_hyper), "--port", str(port)]


def echo_on(loop: str) -> EchoCommand:
    """Make the command for the same echo program on one event loop."""

    def command(programs: Programs, interface: str, endpoint: Endpoint) -> list[str]:
        return [
            *(str(programs.python), "-m", "bench.compare.echo_server"),
            *("--loop", loop, "--api", interface, *endpoint.arguments()),
        ]

    return command


def plain_echo(programs: Programs, _interface: str, endpoint: Endpoint) -> list[str]:
    """Run the echo without Python."""
    return [str(programs.plain_hyper), "--echo", *endpoint.arguments()]


HTTP_SERVERS: Mapping[str, HttpCommand] = {
    OURS: hoopsnake,
    "uvicorn": uvicorn,
    "granian": granian,
    "fastpysgi": fastpysgi,
    LIMIT: plain_hyper,
}
ECHO_SERVERS: Mapping[str, EchoCommand] = {
    OURS: echo_on(OURS),
    "uvloop": echo_on("uvloop"),
    "rloop": echo_on("rloop"),
    "asyncio": echo_on("asyncio"),
    PLAIN_ECHO: plain_echo,
}
# What rloop 0.5 does not have: it raises NotImplementedError.
NOT_IN_RLOOP = ("tls", "unix")


def echo_servers(kind: Kind, *, limit: bool) -> tuple[tuple[str, EchoCommand], ...]:
    """Who can echo at this kind of endpoint, the limit without Python among them or not."""
    left_out = {
        *(() if limit else (PLAIN_ECHO,)),
        *(("rloop",) if kind in NOT_IN_RLOOP else ()),
    }
    return tuple((name, run) for name, run in ECHO_SERVERS.items() if name not in left_out)
