"""The journal of a server under test: keeps what the application has raised, for its test."""

from __future__ import annotations

import asyncio

from hoopsnake._errors import ClientDisconnected
from hoopsnake._journal import Journal
from hoopsnake.web._websocket import WebSocketDisconnect

__all__ = ["Witness"]


# What an application may well leave by whose client has gone.
_ENDS = (ClientDisconnected, WebSocketDisconnect, asyncio.CancelledError)


class Witness(Journal):
    """Keeps exceptions by the request that they belong to; without `raises` they are logged."""

    def __init__(self, raises: bool) -> None:
        super().__init__()
        self._raises = raises
        self._failures: list[tuple[str, BaseException]] = []
        self._end: BaseException | None = None

    def application_failed(
        self,
        exception: BaseException,
        request: str,
        client_gone: bool,
        stopping: bool,
        request_id: str | None,
    ) -> None:
        """Keep what left the application, unless it is for want of a client."""
        if self._raises:
            if not (client_gone and isinstance(exception, _ENDS)):
                self._failures.append((request, exception))
        else:
            super().application_failed(exception, request, client_gone, stopping, request_id)

    def application_stopped_short(
        self, request: str, committed: bool, request_id: str | None
    ) -> None:
        """Keep that there was no answer, or half of one."""
        if self._raises:
            what = "before its response was complete" if committed else "without a response"
            error = RuntimeError(f"{request}: the application returned {what}")
            self._failures.append((request, error))
        else:
            super().application_stopped_short(request, committed, request_id)

    def lifespan_failed(
        self, stage: str, exception: BaseException | None, message: str = ""
    ) -> None:
        """Keep what the application's end has raised."""
        if self._raises and stage == "shutdown":
            self._end = exception or self._end or RuntimeError(message)
        else:
            super().lifespan_failed(stage, exception, message)

    def raise_failure(self, method: str, target: str) -> None:
        """Raise what a request has raised in the application, if it has."""
        name = f"{method} {target}"
        for number, (request, error) in enumerate(self._failures):
            if request == name:
                del self._failures[number]
                raise error

    def raise_end(self) -> None:
        """Raise what the end of the application's lifespan has raised, if it has."""
        error, self._end = self._end, None
        if error is not None:
            raise error
