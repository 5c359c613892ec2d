"""What a client may be told of when and how often its requests are sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from hoopsnake._client._hosts import BreakerOption, ConcurrencyOption, HedgeOption
    from hoopsnake._client._policies import Policies, RateOption, RetriesOption
    from hoopsnake._client._settings import TimeoutTuple


class PolicyOptions(TypedDict, total=False):
    """A client's policies; all of them are off by default.

    `retries` is how many more attempts a request may have, or `Retries`. `hedge` is after how many
    seconds an idempotent request is sent a second time; True is once it takes longer than most.
    `rate_limit` is how often in a second each host may be asked, `concurrency` how many requests it
    may have at once. `breaker` leaves a host alone that fails. Instead of numbers and True they may
    be objects of `hoopsnake.limits`, which then are for all hosts together (a `RateLimit` is for
    each), or functions that make one for a host's name.

    `heed_deadline=False` gives requests more time than the `Deadline` around them has.
    `deadline_header` names a header that tells the server how many milliseconds there are.
    """

    retries: RetriesOption
    hedge: HedgeOption
    rate_limit: RateOption
    concurrency: ConcurrencyOption
    breaker: BreakerOption
    heed_deadline: bool
    deadline_header: str | None


def policies_of(options: PolicyOptions, timeouts: TimeoutTuple) -> Policies | None:
    """Make a client's policies, if it has any; raises TypeError for a name that is none."""
    unknown = options.keys() - PolicyOptions.__annotations__.keys()
    if unknown:
        raise TypeError(f"a Client has no setting {', '.join(sorted(unknown))}")
    given = {name: each for name, each in options.items() if name != "heed_deadline"}
    if all(each is None or each is False for each in given.values()):
        return None
    from hoopsnake._client._policies import Policies

    return Policies(options, timeouts)
