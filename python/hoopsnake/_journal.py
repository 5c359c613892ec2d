"""What the server has to say: errors and accesses, through Python's logging."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import cache
from typing import Any

from hoopsnake._errors import ClientDisconnected
from hoopsnake._log_format import JSONFormatter, TextFormatter

__all__ = ["Journal", "configure_logging"]

# What the client, the request and its answer are is told apart in `extra`, for other formats.
_ACCESS = '%s "%s %s HTTP/%s" %d %s %.2fms %dB%s'


def configure_logging(level: str, form: str = "text") -> None:
    """Set the level of hoopsnake's loggers; print to standard error if nobody else takes them.

    What the loop says of exceptions that nobody awaits goes the same way.
    """
    logger = logging.getLogger("hoopsnake")
    logger.setLevel(level.upper())
    if logger.hasHandlers():
        return
    handler = logging.StreamHandler()
    handler.setFormatter(JSONFormatter() if form == "json" else TextFormatter())
    logger.addHandler(handler)
    loop_logger = logging.getLogger("asyncio")
    if not loop_logger.hasHandlers():
        loop_logger.addHandler(handler)


class Journal:
    """Writes to the loggers `hoopsnake.error` and `hoopsnake.access`; the engine calls it too."""

    def __init__(self) -> None:
        self._error = logging.getLogger("hoopsnake.error")
        self._access = logging.getLogger("hoopsnake.access")

    def serving(self, addresses: Iterable[str]) -> None:
        """The server accepts connections."""
        self._error.info("Serving on %s (Ctrl-C stops it)", " and ".join(addresses))

    def admin_port(self, addresses: Iterable[str]) -> None:
        """The admin port answers; the application may not have started yet."""
        self._error.info("Metrics and health on %s", " and ".join(addresses))

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
        self,
        exception: BaseException,
        request: str,
        client_gone: bool,
        stopping: bool,
        request_id: str | None,
    ) -> None:
        """An exception left the application."""
        level = logging.ERROR
        what = "exception in the application"
        told: BaseException | None = exception
        if client_gone and _comes_of_disconnect(exception):
            level, what, told = logging.DEBUG, "ended by the client's disconnect", None
        elif client_gone and stopping:
            # Many applications let the exception pass that tells them of the end.
            level, what = logging.DEBUG, "ended by the server's stop"
        self._of_request(level, what, request, request_id, told)

    def application_stopped_short(
        self, request: str, committed: bool, request_id: str | None
    ) -> None:
        """The application returned without a complete answer."""
        what = "before its response was complete" if committed else "without a response"
        self._of_request(logging.ERROR, f"the application returned {what}", request, request_id)

    def debug_info(self, request: str, info: object, request_id: str | None) -> None:
        """An application told its developers something (ASGI extension "Debug")."""
        self._of_request(logging.DEBUG, f"told for debugging: {info!r}", request, request_id)

    def _of_request(
        self,
        level: int,
        what: str,
        request: str,
        request_id: str | None,
        exception: BaseException | None = None,
    ) -> None:
        fields: dict[str, Any] = {"request": request}
        name = request
        if request_id is not None:
            fields["request_id"] = request_id
            name = f"{request} [{request_id}]"
        _write(self._error, level, "%s: %s", (name, what), fields, exception)

    def refused(self, client: tuple[str, int] | None, reason: str) -> None:
        """A request was malformed, dangerous, too large or too slow."""
        name = _name(client)
        fields = {"client": name, "reason": reason}
        message = "Refused a request of %s: %s"
        _write(self._error, logging.WARNING, message, (name, reason), fields)

    def overloaded(self, requests: int) -> None:
        """Requests got a 503: too many were at work, and too many waited."""
        self._error.warning("Refused %d requests: too many are at work already", requests)

    def overdue(self, request: str, limit: float, request_id: str | None) -> None:
        """An application did not begin its response in time; its client got a 504."""
        what = f"no response within {limit:g} seconds, cancelled"
        self._of_request(logging.ERROR, what, request, request_id)

    def handshake_failed(self, client: tuple[str, int] | None, reason: str) -> None:
        """A connection ended before its first request; scanners do that all day."""
        self._error.debug("Closed a connection of %s: %s", _name(client), reason)

    def certificates_renewed(self) -> None:
        """The TLS files have changed; new connections get what they say now."""
        self._error.info("Read the TLS certificate and key again")

    def nothing_to_renew(self) -> None:
        """SIGHUP came to a server that has no TLS files and no workers."""
        self._error.info("SIGHUP: there are no TLS files to read again; new code needs a restart")

    def certificates_kept(self, reason: str) -> None:
        """The TLS files have changed and cannot be used; the server goes on with the old ones."""
        self._error.error("Keeping the old TLS certificate and key: %s", reason)

    def accept_failed(self, reason: str) -> None:
        """The system is out of descriptors or memory for new connections."""
        self._error.error("Cannot accept connections: %s; trying again", reason)

    def access(self, fields: dict[str, Any]) -> None:
        """A request was answered, or a WebSocket closed; `fields` are what is known of it."""
        log = self._access
        if not log.isEnabledFor(logging.INFO):
            return
        fields["client"] = client = _name(fields["client"])
        status = fields["status"]
        arguments = (
            client,
            fields["method"],
            fields["target"],
            fields["protocol"],
            status,
            _phrases().get(status, ""),
            fields["duration"] * 1000,
            fields["response_bytes"],
            _remarks(fields),
        )
        _write(log, logging.INFO, _ACCESS, arguments, fields)


def _write(
    log: logging.Logger,
    level: int,
    message: str,
    arguments: tuple[Any, ...],
    fields: dict[str, Any],
    exception: BaseException | None = None,
) -> None:
    """Log a message with `fields`, which become attributes of its record as `extra` makes them.

    Unlike `extra` they may have the name of something that a user's record factory has set. And
    nobody looks through the stack for who calls, which is always the engine.
    """
    if log.isEnabledFor(level):
        raised = None
        if exception is not None:
            raised = (type(exception), exception, exception.__traceback__)
        record = log.makeRecord(log.name, level, "hoopsnake", 0, message, arguments, raised)
        vars(record).update(fields)
        log.handle(record)


@cache
def _phrases() -> dict[int, str]:
    # Only here: who logs no accesses need not load it.
    from http import HTTPStatus

    # 499 is what other servers too say of a client that did not wait for its answer.
    return {each.value: each.phrase for each in HTTPStatus} | {499: "Client Closed Request"}


def _name(client: tuple[str, int] | None) -> str:
    if client is None:
        return "-"
    host, port = client
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _remarks(fields: dict[str, Any]) -> str:
    remarks = ""
    if "close_code" in fields:
        remarks += f" closed {fields['close_code']}"
    elif not fields["complete"]:
        remarks += " incomplete"
    if "request_id" in fields:
        remarks += f" [{fields['request_id']}]"
    return remarks


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
