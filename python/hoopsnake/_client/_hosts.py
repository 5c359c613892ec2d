"""What a client knows of each host that it asks, for as many hosts as it remembers."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar, cast

from hoopsnake._client._errors import (
    LocalProtocolError,
    PoolTimeout,
    RequestError,
    TransportError,
    UnsupportedProtocol,
)
from hoopsnake._client._retries import BadAnswer
from hoopsnake.limits import CircuitBreaker, ConcurrencyLimit, Hedge, RetryBudget

# So many hosts are remembered that nobody asks at the moment; the others are all known.
MOST_IDLE = 1000

_Limit = TypeVar("_Limit")
HedgeOption = Hedge | Callable[[str], Hedge] | float | bool | None
ConcurrencyOption = ConcurrencyLimit | Callable[[str], ConcurrencyLimit] | int | None
BreakerOption = CircuitBreaker | Callable[[str], CircuitBreaker] | bool | None


class Host:
    """One host, and the limits of requests to it."""

    __slots__ = ("breaker", "hedge", "name", "places", "users")

    def __init__(
        self,
        name: str,
        hedge: Hedge | None,
        places: ConcurrencyLimit | None,
        breaker: CircuitBreaker | None,
    ) -> None:
        self.name = name
        self.hedge = hedge
        self.places = places
        self.breaker = breaker
        self.users = 0


class Hosts:
    """All hosts that are asked now, and those that were asked last."""

    def __init__(
        self,
        hedge: HedgeOption,
        concurrency: ConcurrencyOption,
        breaker: BreakerOption,
        budget: RetryBudget | None,
    ) -> None:
        self._hedge = maker(hedge, Hedge, lambda: hedge_of(hedge, budget))
        self._places = maker(concurrency, ConcurrencyLimit, lambda: places_of(concurrency))
        self._breaker = maker(breaker, CircuitBreaker, lambda: CircuitBreaker(failures=is_failure))
        self._busy: dict[str, Host] = {}
        self._idle: OrderedDict[str, Host] = OrderedDict()

    def __len__(self) -> int:
        return len(self._busy) + len(self._idle)

    def enter(self, name: str) -> Host:
        """Return what is known of a host that is asked now; `leave` ends that."""
        host = self._busy.get(name) or self._idle.pop(name, None)
        if host is None:
            host = Host(name, self._hedge(name), self._places(name), self._breaker(name))
        self._busy[name] = host
        host.users += 1
        return host

    def leave(self, host: Host) -> None:
        """Ask a host no more; if nobody else does, it may be forgotten."""
        host.users -= 1
        if host.users == 0:
            self._idle[host.name] = self._busy.pop(host.name)
            if len(self._idle) > MOST_IDLE:
                self._idle.popitem(last=False)


def maker(
    option: object, kind: type[_Limit], make: Callable[[], _Limit]
) -> Callable[[str], _Limit | None]:
    """Return what makes a host's limit of an option: a limit, a function, or a number or True."""
    if option is None or option is False:
        return lambda name: None
    if isinstance(option, kind):
        one: _Limit = option
        return lambda name: one
    if isinstance(option, bool | int | float):
        make()  # What is wrong with it is to be said at once.
        return lambda name: make()
    if callable(option):
        return cast("Callable[[str], _Limit]", option)
    raise TypeError(f"expected a {kind.__name__}, or a function that makes one, not {option!r}")


def hedge_of(option: object, budget: RetryBudget | None) -> Hedge:
    """Make a hedge by what is known of the host's latencies, or after so many seconds."""
    if option is True or not isinstance(option, int | float):
        return Hedge(budget=budget)
    if not option > 0:
        raise ValueError(f"hedge is a number of seconds above 0, not {option!r}")
    # It never knows so many calls: the delay is the one that was given.
    return Hedge(after=float(option), least_calls=2**31 - 1, budget=budget)


def places_of(option: object) -> ConcurrencyLimit:
    """Make so many places."""
    if isinstance(option, bool) or not isinstance(option, int):
        raise TypeError(f"concurrency is a whole number, not {option!r}")
    return ConcurrencyLimit(option)


def is_failure(error: BaseException) -> bool:
    """Tell what speaks against a host: it is not reached, or says that it fails."""
    if isinstance(error, BadAnswer):
        return error.response.status_code >= 500
    return isinstance(error, TransportError) and not has_reached_nobody(error)


def has_reached_nobody(error: RequestError) -> bool:
    """Tell what says nothing of a host: one's own limits, and what cannot be sent at all."""
    mistakes = (LocalProtocolError, PoolTimeout, UnsupportedProtocol)
    return isinstance(error, mistakes) or error.phase in ("limit", "pool")


class Place:
    """A place of a host, until it is given back or nobody has it any more."""

    def __init__(self, places: ConcurrencyLimit) -> None:
        self._places: ConcurrencyLimit | None = places
        self._loop = asyncio.get_running_loop()

    def release(self) -> None:
        """Give it back, once."""
        places, self._places = self._places, None
        if places is not None:
            places.release()

    def __del__(self) -> None:
        if asyncio._get_running_loop() is self._loop:
            self.release()
        elif self._places is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._places.release)
