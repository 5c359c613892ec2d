"""Several calls as one coroutine function, for handlers with dependencies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = ["Call", "Composed", "Result", "composed"]


class Result(NamedTuple):
    """What an earlier call has returned."""

    place: int


@dataclass(frozen=True, slots=True)
class Call:
    """A call, whether it is awaited, and what each of its parameters gets: an argument by its
    number, or an earlier call's result.
    """

    call: Callable[..., Any]
    is_awaited: bool
    given: Mapping[str, int | Result]


class Composed(NamedTuple):
    """A coroutine function that makes all calls, and the arguments of its parameters."""

    function: Callable[..., Awaitable[Any]]
    names: tuple[str, ...]
    positions: list[int]


def composed(calls: Sequence[Call], name: str) -> Composed:
    """Compose the calls; what the last of them returns is what all return.

    One call is taken as it is. Of several a function is compiled, as `dataclasses` does it: names
    of parameters are all of its source that comes from outside, and those are identifiers.
    `name` says in tracebacks whose calls they are.
    """
    if len(calls) == 1 and calls[0].is_awaited:
        given = {name: each for name, each in calls[0].given.items() if isinstance(each, int)}
        return Composed(calls[0].call, tuple(given), list(given.values()))
    numbers = sorted({n for call in calls for n in call.given.values() if isinstance(n, int)})
    lines = []
    for place, call in enumerate(calls):
        given_text = ", ".join(
            f"{name}=r{each.place}" if isinstance(each, Result) else f"{name}=a{each}"
            for name, each in call.given.items()
        )
        made = f"{'await ' if call.is_awaited else ''}c{place}({given_text})"
        lines.append(f"r{place} = {made}" if place + 1 < len(calls) else f"return {made}")
    parameters = tuple(f"a{number}" for number in numbers)
    source = f"async def all_calls({', '.join(parameters)}):\n " + "\n ".join(lines)
    names: dict[str, Any] = {f"c{place}": call.call for place, call in enumerate(calls)}
    exec(compile(source, f"<dependencies of {name}>", "exec"), names)
    return Composed(names["all_calls"], parameters, numbers)
