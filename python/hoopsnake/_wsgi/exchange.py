"""One request, as the application's thread sees it (PEP 3333).

The thread leaves orders in `orders`, and the coroutine in `application` carries them out on the
loop, one after the other. Two fields tell the thread how that went:

1. `gate` is closed unless the loop has done what the thread waits for.
2. `failure` is set by the loop before it opens `gate` for the last time. The thread puts its order
   in first, and then looks at `failure`: so either it sees that there is nobody, or it is woken.
"""

from __future__ import annotations

import asyncio
from _thread import LockType, allocate_lock
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from hoopsnake._errors import ClientDisconnected
from hoopsnake._wsgi.file_wrapper import FileWrapper
from hoopsnake._wsgi.wakeups import Wakeups

__all__ = ["END", "FETCH", "FLUSH", "Exchange"]

Message = dict[str, Any]

# Orders beside the messages that are to be sent.
FETCH = "fetch"
FLUSH = "flush"
END = "end"

# The thread may be so many bytes ahead of what the server has taken.
_AHEAD = 64 * 1024
# PEP 3333, "Other HTTP Features": what concerns the connection is the server's.
_OF_THE_CONNECTION = {
    *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization"),
    *("te", "trailer", "transfer-encoding", "upgrade"),
}
# What an application has once sent it sends again.
_names: dict[str, bytes] = {}
_status_codes: dict[str, int] = {}
_REMEMBERED = 512


class Exchange:
    """A request and its response, between the loop and a thread."""

    # What most exchanges leave as it is stands here, and costs them nothing.
    gate: LockType | None = None
    failure: BaseException | None = None
    fetched = b""
    body_ended = False
    # What the application raised.
    raised: BaseException | None = None
    waiter: asyncio.Future[None] | None = None
    _report: Callable[[BaseException], None] | None = None
    _start: Message | None = None
    _declared: int | None = None
    _head_sent = False
    _sent = 0
    _ahead = 0
    _complete = False

    def __init__(self, wakeups: Wakeups, *, is_head: bool, sends_files: bool) -> None:
        self.orders: deque[Message | str] = deque()
        self._wakeups = wakeups
        self._is_head = is_head
        self._sends_files = sends_files

    # What the loop calls.

    def wake(self) -> None:
        """Let the coroutine look at the orders."""
        if self._report is not None:
            self._tell()
        elif self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def give_up(self, failure: BaseException) -> None:
        """Let the thread's next call, or the one that it waits in, raise."""
        self.failure = failure
        self.open_gate()

    def leave(self, report: Callable[[BaseException], None]) -> None:
        """Have what the thread raises reported, now or later: nobody waits for it any more."""
        self._report = report
        self._tell()

    def _tell(self) -> None:
        raised, self.raised = self.raised, None
        if raised is not None and self._report is not None:
            self._report(raised)

    def open_gate(self) -> None:
        """Let the thread go on."""
        if self.gate is not None and self.gate.locked():
            self.gate.release()

    def end(self) -> None:
        """Raise what has gone wrong, if anything has."""
        failure, self.raised = self.raised or self.failure, None
        try:
            if failure is not None:
                raise failure
        finally:
            del failure  # its traceback holds this frame

    # What the thread calls.

    def run(self, application: Callable[..., Iterable[bytes]], environ: Callable[[], Any]) -> None:
        """Call the application and send what it returns; what it raises is in `raised` then."""
        if self.failure is not None:
            return  # given up while it waited for a thread
        try:
            result = application(environ(), self.start_response)
            if self._is_all(result):
                return
            try:
                self._send_result(result)
            finally:
                close = getattr(result, "close", None)
                if close is not None:
                    close()
        except BaseException as error:
            self.raised = error
        self._order(END)

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None, /
    ) -> Callable[[bytes], None]:
        """Take the head of the response, and return `write`."""
        if exc_info:
            try:
                if self._head_sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # it holds this frame
        elif self._start is not None:
            raise AssertionError("start_response() was called before; again it wants an exc_info")
        declared = None
        pairs = []
        for name, value in headers:
            known = _names.get(name) or _header_name(name)
            if known == b"content-length" and value.isdecimal():
                declared = int(value)
            pairs.append((known, value.encode("latin-1")))
        self._declared = declared
        self._start = {
            "type": "http.response.start",
            "status": _status_codes.get(status) or _status_code(status),
            "headers": pairs,
        }
        return self.write

    def write(self, data: bytes) -> None:
        """Send a piece of the body, before what the application returns."""
        self._send_piece(data, more=True)

    def fetch(self) -> bytes:
        """Return the next piece of the request's body; b"" at its end."""
        if self.body_ended:
            return b""
        self._wait_for(FETCH)
        return self.fetched

    def _is_all(self, result: Iterable[bytes]) -> bool:
        """Send what most applications return, one piece in a list, with a single wakeup."""
        if type(result) is not list or len(result) != 1 or self._head_sent or self._start is None:
            return False
        (body,) = result
        if type(body) is not bytes:
            return False
        message = {"type": "http.response.body", "body": body, "more_body": False}
        self.orders.extend((self._start, message, END))
        self._wakeups.add(self)
        return True

    def _send_result(self, result: Iterable[bytes]) -> None:
        if isinstance(result, list | tuple):
            # All of it is there, so it goes out as one.
            only = result[0] if len(result) == 1 else b"".join(result)
            self._send_piece(only, more=False, wakes=False)
            return
        if isinstance(result, FileWrapper) and self._send_file(result):
            return
        for piece in result:
            if piece and self._is_head:
                # Nobody gets the pieces: the head goes out as that of a stream, and that is all.
                self._send_piece(b"", more=True)
                break
            if piece:
                ends = self._declared is not None and self._sent + len(piece) == self._declared
                self._send_piece(piece, more=not ends)
        if not self._complete:
            self._send_piece(b"", more=False)

    def _send_file(self, wrapper: FileWrapper) -> bool:
        """Let the server send a file by itself, if it is one that it can send."""
        if not self._sends_files or self._sent:
            return False
        part = wrapper.part(self._declared)
        if part is None:
            return False
        self._send_head()
        self._complete = True
        self.orders.append(
            {
                "type": "http.response.zerocopysend",
                "file": part.descriptor,
                "offset": part.offset,
                "count": part.length,
            }
        )
        # The descriptor is the server's own once the message was sent; then it may be closed.
        self._wait_for(FLUSH)
        return True

    def _send_piece(self, data: bytes, *, more: bool, wakes: bool = True) -> None:
        if not isinstance(data, bytes):
            raise TypeError(f"a piece of a WSGI response is bytes, not {type(data).__name__}")
        if not self._head_sent:
            self._send_head()
        self._sent += len(data)
        if self._declared is not None and self._sent > self._declared and self._complete:
            raise ValueError(f"the response is longer than the {self._declared} bytes it declares")
        self._complete = not more
        message = {"type": "http.response.body", "body": data, "more_body": more}
        self._ahead += len(data)
        if more and self._ahead > _AHEAD:
            self.orders.append(message)
            self._wait_for(FLUSH)
            self._ahead = 0
        elif wakes:
            self._order(message)
        else:
            self.orders.append(message)  # the end follows, and wakes
        if self.failure is not None:
            raise self._disappointment()

    def _send_head(self) -> None:
        if self._start is None:
            raise AssertionError("the application did not call start_response() before its body")
        self._head_sent = True
        self.orders.append(self._start)

    def _order(self, order: Message | str) -> None:
        self.orders.append(order)
        self._wakeups.add(self)

    def _wait_for(self, order: str) -> None:
        """Give an order, and wait until it was carried out."""
        gate = self.gate
        if gate is None:
            gate = self.gate = allocate_lock()
            gate.acquire()
        self._order(order)
        if self.failure is None:
            gate.acquire()
        if self.failure is not None:
            raise self._disappointment()

    def _disappointment(self) -> BaseException:
        if isinstance(self.failure, Exception) and not isinstance(self.failure, ClientDisconnected):
            return self.failure
        disconnected = ClientDisconnected("nobody waits for this response any more")
        disconnected.__cause__ = self.failure
        return disconnected


def _header_name(name: str) -> bytes:
    lowered = name.lower()
    if lowered in _OF_THE_CONNECTION:
        raise ValueError(
            f"start_response() got the header {name!r}, which is the server's (PEP 3333)"
        )
    encoded = lowered.encode("latin-1")
    if len(_names) < _REMEMBERED:
        _names[name] = encoded
    return encoded


def _status_code(status: str) -> int:
    code, _, _ = status.partition(" ")
    if not (len(code) == 3 and code.isascii() and code.isdigit()):
        raise ValueError(
            f"start_response() wants a status such as '200 OK', not {status!r} (PEP 3333)"
        )
    if len(_status_codes) < _REMEMBERED:
        _status_codes[status] = int(code)
    return int(code)
