"""What the server has to say: errors and accesses, through Python's logging."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from http import HTTPStatus

from hoopsnake._errors import ClientDisconnected

__all__ = ["Journal", "configure_logging"]

_FORMAT = "%(asctime)s %(levelname)-7s %(message)s"


def configure_logging(level: str) -> None:
    """Set the level of hoopsnake's loggers; print to standard error if nobody else takes them."""
    logger = logging.getLogger("hoopsnake")
    logger.setLevel(level.upper())
    if not logger.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter(_FORMAT, datefmt="%H:%M:%S"))
        logger.addHandler(handler)


class Journal:
    """Writes to the loggers `hoopsnake.error` and `hoopsnake.access`; the engine calls it too."""

    def __init__(self) -> None:
        self._error = logging.getLogger("hoopsnake.error")
        self._access = logging.getLogger("hoopsnake.access")

    def serving(self, addresses: Iterable[str]) -> None:
        """The server accepts connections."""
        self._error.info("Serving on %s (Ctrl-C stops it)", " and ".join(addresses))

    def stopping(self, connections: int, tasks: int) -> None:
        """A stop was asked for; what is left goes on for now."""
        self._error.info("Stopping: %d open connections, %d requests at work", connections, tasks)

    def stopped(self) -> None:
        """All is done."""
        self._error.info("Stopped")

    def cancelling(self, count: int, reason: str) -> None:
        """Requests did not end in time."""
        self._error.warning("Cancelling %d requests: %s", count, reason)

    def straggler(self, description: str) -> None:
        """A request goes on in spite of its cancellation."""
        self._error.error("A request did not end when it was cancelled: %s", description)

    def lifespan_unsupported(self) -> None:
        """The application does not know the lifespan protocol, which is its right."""
        self._error.debug("The application has no lifespan")

    def lifespan_failed(
        self, stage: str, exception: BaseException | None, message: str = ""
    ) -> None:
        """The application's lifespan broke off."""
        self._error.error(
            "The application's lifespan failed at %s%s",
            stage,
            f": {message}" if message else "",
            exc_info=exception,
        )

    def application_failed(
        self, exception: BaseException, request: str, client_gone: bool, stopping: bool
    ) -> None:
        """An exception left the application."""
        if client_gone and _comes_of_disconnect(exception):
            self._error.debug("%s: ended by the client's disconnect", request)
            return
        if client_gone and stopping:
            # Many applications let the exception pass that tells them of the end.
            self._error.debug("%s: ended by the server's stop", request, exc_info=exception)
            return
        self._error.error("%s: exception in the application", request, exc_info=exception)

    def application_stopped_short(self, request: str, committed: bool) -> None:
        """The application returned without a complete answer."""
        if committed:
            self._error.error(
                "%s: the application returned before its response was complete", request
            )
        else:
            self._error.error("%s: the application returned without a response", request)

    def refused(self, client: tuple[str, int] | None, reason: str) -> None:
        """A request was malformed, dangerous, too large or too slow."""
        self._error.warning("Refused a request of %s: %s", _name(client), reason)

    def overloaded(self, requests: int) -> None:
        """Requests got a 503: too many were at work, and too many waited."""
        self._error.warning("Refused %d requests: too many are at work already", requests)

    def overdue(self, request: str, limit: float) -> None:
        """An application did not begin its response in time; its client got a 504."""
        self._error.error("%s: no response within %g seconds, cancelled", request, limit)

    def handshake_failed(self, client: tuple[str, int] | None, reason: str) -> None:
        """A connection ended before its first request; scanners do that all day."""
        self._error.debug("Closed a connection of %s: %s", _name(client), reason)

    def certificates_renewed(self) -> None:
        """The TLS files have changed; new connections get what they say now."""
        self._error.info("Read the TLS certificate and key again")

    def certificates_kept(self, reason: str) -> None:
        """The TLS files have changed and cannot be used; the server goes on with the old ones."""
        self._error.error("Keeping the old TLS certificate and key: %s", reason)

    def accept_failed(self, reason: str) -> None:
        """The system is out of descriptors or memory for new connections."""
        self._error.error("Cannot accept connections: %s; trying again", reason)

    def access(
        self, client: tuple[str, int] | None, method: str, target: str, version: str, status: int
    ) -> None:
        """A request was answered."""
        self._access.info(
            '%s "%s %s HTTP/%s" %d %s',
            _name(client),
            method,
            target,
            version,
            status,
            _phrase(status),
        )


def _name(client: tuple[str, int] | None) -> str:
    return "-" if client is None else f"{client[0]}:{client[1]}"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _comes_of_disconnect(exception: BaseException) -> bool:
    """Whether `exception` is, or was raised for, a send to a client that had gone."""
    seen: set[int] = set()
    pending: list[BaseException | None] = [exception]
    while pending:
        candidate = pending.pop()
        if candidate is None or id(candidate) in seen:
            continue
        if isinstance(candidate, ClientDisconnected):
            return True
        seen.add(id(candidate))
        pending += (candidate.__cause__, candidate.__context__)
        if isinstance(candidate, BaseExceptionGroup):
            pending += candidate.exceptions
    return False
