"""What one connection is to do: both ends read one plan, which follows from seed and number."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

from content import HELLO

Route = Literal["tcp", "unix", "tls", "upgraded"]
Style = Literal["streams", "buffered"]
Side = Literal["client", "server"]
# How a side leaves before its time: by RST, at once, with its output sent, or by being cancelled
# wherever it waits.
Leaving = Literal["reset", "abort", "close", "cancel"]

ROUTES: tuple[Route, ...] = ("tcp", "unix", "tls", "upgraded")
STYLES: tuple[Style, ...] = ("streams", "buffered")
SIDES: tuple[Side, ...] = ("client", "server")
LEAVINGS: tuple[Leaving, ...] = ("reset", "abort", "close", "cancel")
# More than all buffers between two ends that do not read, when the sockets' own are small.
MORE_THAN_BUFFERS = 700_000


@dataclass(frozen=True)
class Plan:
    """One connection."""

    number: int
    route: Route
    client_style: Style
    server_style: Style
    up: int
    """How many bytes the client sends, its hello among them."""
    down: int
    leaver: Side | None
    """Who leaves before its time; None where both stay to the end."""
    leaving: Leaving
    cut: int
    """After how many bytes, sent and received, the leaver leaves."""
    blocked: bool
    """Whether nobody reads, so that the leaver leaves while it waits for room."""

    def stays_whole(self) -> bool:
        """Whether every byte has to arrive."""
        return self.leaver is None


def plan_of(seed: int, number: int) -> Plan:
    """Draw the plan of a connection."""
    draw = random.Random(f"{seed}/plan/{number}")
    route = draw.choices(ROUTES, weights=(6, 4, 3, 1))[0]
    leaver = draw.choice((None, None, None, *SIDES))
    blocked = leaver is not None and draw.random() < 0.2
    up, down = HELLO + size(draw), size(draw)
    if blocked:
        up, down = HELLO + MORE_THAN_BUFFERS, MORE_THAN_BUFFERS
    return Plan(
        number=number,
        route=route,
        # An upgrade is a matter of streams.
        client_style="streams" if route == "upgraded" else draw.choice(STYLES),
        server_style="streams" if route == "upgraded" else draw.choice(STYLES),
        up=up,
        down=down,
        leaver=leaver,
        leaving=draw.choice(LEAVINGS),
        cut=draw.randrange(up + down),
        blocked=blocked,
    )


def size(draw: random.Random) -> int:
    """Mostly small, sometimes nothing, now and then more than the buffers of a transport."""
    largest = draw.choices((0, 200, 5_000, 100_000, 1_000_000), weights=(1, 6, 6, 2, 0.3))[0]
    return draw.randint(0, largest)
