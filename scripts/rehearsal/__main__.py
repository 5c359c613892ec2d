"""Does the rehearsal: all of its parts, or those that are named, as often as it is said."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable

import hoopsnake
from scripts.rehearsal import (
    bounds,
    callbacks,
    exchanges,
    library_visits,
    messages,
    other_clients,
    transports,
)
from scripts.rehearsal.amount import Amount
from scripts.rehearsal.certificate import Certificate, certificate

# No part takes as long on any machine: one that does not end is broken.
LONGEST_SECONDS = 300.0
Part = Callable[[Amount], Awaitable[None]]


def parts(of_tls: Certificate | None) -> dict[str, Part]:
    """All there are, in their order; those of TLS are there with a certificate alone."""
    found: dict[str, Part] = {
        "loop": callbacks.run,
        "transports": lambda amount: transports.run(amount, of_tls),
        "http": exchanges.over_http1,
        "clients": other_clients.run,
        "files": exchanges.files,
        "compression": exchanges.compressed,
        "websocket": messages.run,
        "web": library_visits.run,
        "bounds": bounds.run,
    }
    if of_tls is not None:
        found["https"] = lambda amount: exchanges.over_tls(amount, of_tls)
        found["http2"] = lambda amount: exchanges.over_http2(amount, of_tls)
    return found


async def rehearse(part: Part, amount: Amount) -> None:
    """Do one part, within bounds."""
    async with asyncio.timeout(LONGEST_SECONDS):
        await part(amount)


def main() -> None:
    """Read the command line; each part has a loop of its own."""
    parser = argparse.ArgumentParser(prog="python -m scripts.rehearsal", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="times the usual counts")
    parser.add_argument("--only", action="append", metavar="PART", help="more than once, if wanted")
    line = parser.parse_args()
    with certificate() as made:
        known = parts(made)
        if made is None:
            print("the openssl command is missing: nothing is done over TLS", file=sys.stderr)
        for name in line.only or known:
            if name not in known:
                parser.error(f"there is no part {name}: choose from {', '.join(known)}")
            print(f"rehearsing {name}", flush=True)
            hoopsnake.run(rehearse(known[name], Amount(line.scale)))


if __name__ == "__main__":
    main()
