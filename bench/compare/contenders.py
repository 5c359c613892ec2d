"""Who is compared: the programs, and the loops that run the same echo; `servers` has the rest."""

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


# Takes the programs, which of asyncio's interfaces it uses, and where it listens.
EchoCommand = Callable[[Programs, str, Endpoint], list[str]]


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
