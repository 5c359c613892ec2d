"""`Retries`: which requests are sent once more, and how long after."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import TYPE_CHECKING, Literal

from hoopsnake._client._errors import (
    LocalProtocolError,
    RequestError,
    TotalTimeout,
    TransportError,
    UnsupportedProtocol,
)
from hoopsnake.limits import Retry, RetryBudget, retry_after_seconds

if TYPE_CHECKING:
    from hoopsnake._client._request import Request
    from hoopsnake._native import Response

# RFC 9110 section 9.2.2: sent twice, they do what they do once.
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
# Too many requests, and what servers say that may serve again soon.
PASSING = frozenset({429, 502, 503, 504})
# Another attempt would come to the same, or there is no time for it.
FINAL = (LocalProtocolError, UnsupportedProtocol, TotalTimeout)


@dataclasses.dataclass(frozen=True, slots=True)
class Retries:
    """How a client sends requests again that failed: `Client(retries=Retries(3))`.

    A request is sent again if that does no harm: its method is idempotent or it has an
    Idempotency-Key, or the server has certainly not acted on it; and if its body is there to be
    sent again, which one that is made as it goes is not.

    Attributes:
        most: how many more attempts than the first.
        statuses: answers that are worth another attempt.
        methods: those that may be sent twice.
        first: the pause before the first retry, in seconds, before randomness; it doubles.
        longest: the longest pause, in seconds.
        longest_retry_after: the longest that a server's Retry-After is waited for, in seconds.
            Whoever asks for more is not asked again.
        jitter: as for `hoopsnake.limits.Retry`.
        budget: how many retries there may be for each request of the client, as a share; or what
            they are paid from, shared with others; or None, without bounds.
    """

    most: int = 3
    statuses: Collection[int] = PASSING
    methods: Collection[str] = IDEMPOTENT
    first: float = 0.1
    longest: float = 10.0
    longest_retry_after: float = 60.0
    jitter: Literal["full", "decorrelated", "none"] = "full"
    budget: RetryBudget | float | None = 0.2

    def __post_init__(self) -> None:
        if self.most < 0 or not self.longest_retry_after >= 0:
            raise ValueError("most and longest_retry_after are 0 or more")

    def _retry(self) -> Retry:
        """Make what decides on pauses, with the budget of one client."""
        budget = self.budget
        return Retry(
            on=Exception,
            attempts=self.most + 1,
            first=self.first,
            longest=self.longest,
            jitter=self.jitter,
            budget=RetryBudget(budget) if isinstance(budget, int | float) else budget,
        )

    def _is_idempotent(self, request: Request) -> bool:
        return request.method in self.methods or "idempotency-key" in request.headers

    def _are_for(self, error: RequestError, request: Request) -> bool:
        if not isinstance(error, TransportError) or isinstance(error, FINAL):
            return False
        return can_be_sent_again(request) and (error.was_left_alone or self._is_idempotent(request))

    def _are_for_answer(self, answer: BadAnswer, request: Request) -> bool:
        return (
            answer.response.status_code in self.statuses
            and can_be_sent_again(request)
            and self._is_idempotent(request)
            and (answer.retry_after or 0.0) <= self.longest_retry_after
        )


class BadAnswer(Exception):
    """An answer that speaks against who gave it: for limits, which heed exceptions."""

    def __init__(self, response: Response) -> None:
        super().__init__(f"the answer was {response.status_code}")
        self.response = response
        asked = response.headers.get("retry-after")
        self.retry_after = None if asked is None else retry_after_seconds(asked)


def can_be_sent_again(request: Request) -> bool:
    """Tell whether a request's body is there a second time."""
    return isinstance(request.content, bytes | None)
