"""What became of each attempt of a request: for whoever reads a response or an error."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(slots=True)
class Attempt:
    """One time that a request was sent, or was about to be.

    Attributes: `number`, from 1; `status` of the answer, or `error`, what went wrong instead (both
    None while it is under way); `elapsed`, its seconds; `waited`, those of them in which it waited
    for a place and for the client's rate; `pause`, the seconds that were waited
    before the next one, if that was waited for; `is_hedge`, whether it was sent beside another.
    """

    number: int
    is_hedge: bool = False
    status: int | None = None
    error: str | None = None
    elapsed: float = 0.0
    waited: float = 0.0
    pause: float | None = None

    def __str__(self) -> str:
        outcome = self.error if self.status is None else str(self.status)
        beside = ", beside the one before" if self.is_hedge else ""
        after = "" if self.pause is None else f", then {self.pause:.3g} s of pause"
        return f"{self.number}: {outcome} after {self.elapsed:.3g} s{beside}{after}"


def told(attempts: Sequence[Attempt]) -> str:
    """Tell of attempts in a line for an exception's notes."""
    return f"{len(attempts)} attempts: " + "; ".join(map(str, attempts))
