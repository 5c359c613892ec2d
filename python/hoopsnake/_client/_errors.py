"""The client's exceptions, in the hierarchy that httpx has made known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hoopsnake._client._attempts import Attempt
    from hoopsnake._client._request import Request
    from hoopsnake._native import Response


class HTTPError(Exception):
    """The base of all that goes wrong with a request.

    `request` is the request, and None where there is none yet.
    """

    request: Request | None = None


class RequestError(HTTPError):
    """A request that came to no response.

    Attributes: `request`; `phase`, what it was doing ("pool", "connect", "proxy", "tls", "write" or
    "read", and "limit" while a limit of the client's let nobody through); `elapsed`, the seconds
    since it began; `was_left_alone`, whether the server has certainly not acted on it; `attempts`,
    each `Attempt` that there was, if the client has policies.
    """

    phase: str | None = None
    elapsed: float | None = None
    was_left_alone: bool = False
    attempts: Sequence[Attempt] = ()


class TransportError(RequestError):
    """The network, or what the server said over it."""


class TimeoutException(TransportError):
    """A limit of time was reached."""


class ConnectTimeout(TimeoutException):
    """No connection was made in time, its TLS handshake included (then `phase` is "tls")."""


class ReadTimeout(TimeoutException):
    """The server sent nothing for too long."""


class WriteTimeout(TimeoutException):
    """The server took nothing of the request for too long."""


class PoolTimeout(TimeoutException):
    """No connection became free in time."""


class TotalTimeout(TimeoutException, TimeoutError):
    """The request as a whole took longer than it may; `phase` is what it was doing then.

    It is a `TimeoutError` too, as what asyncio raises for a block that took too long.
    """


class NetworkError(TransportError):
    """The network broke off."""


class ConnectError(NetworkError):
    """No connection could be made: no such name, nobody listens, no trust."""


class ReadError(NetworkError):
    """The connection broke while the response was awaited or read."""


class WriteError(NetworkError):
    """The connection broke while the request was sent."""


class ProtocolError(TransportError):
    """HTTP was not spoken as it is to be."""


class LocalProtocolError(ProtocolError):
    """The request is none that could be sent."""


class RemoteProtocolError(ProtocolError):
    """The server's answer is none, or ended too early."""


class ProxyError(TransportError):
    """The proxy cannot be reached, or makes no connection.

    `phase` is "connect" or "tls" on the way to it, and "proxy" when it was asked.
    """


class UnsupportedProtocol(TransportError):
    """The URL's scheme is neither http nor https."""


class DecodingError(RequestError):
    """The body is not in the coding that its Content-Encoding names."""


class ResponseTooLarge(RequestError):
    """The body is larger than is read into memory, or grows without measure as it is unpacked."""


class TooManyRedirects(RequestError):
    """One redirect led to another for too long."""


class HTTPStatusError(HTTPError):
    """`raise_for_status()` met a status that is not 2xx.

    Attributes: `request` and `response`.
    """

    def __init__(self, message: str, *, request: Request, response: Response) -> None:
        super().__init__(message)
        self.request = request
        self.response = response


class CookieConflict(Exception):
    """Several cookies have the name that was asked for."""


class InvalidURL(Exception):
    """A URL that cannot be read."""


class StreamError(RuntimeError):
    """A response was used as it cannot be."""


class StreamConsumed(StreamError):
    """The response was read already, or is being read."""


class StreamClosed(StreamError):
    """The response was closed."""


class ResponseNotRead(StreamError):
    """`content` of a response that was not read yet."""


class ClientClosed(RuntimeError):
    """The client was closed."""


def transport_error(
    name: str,
    detail: str,
    phase: str,
    elapsed: float,
    request: Request,
    was_left_alone: bool = False,
) -> Exception:
    """Make the exception of that name, with a message that says what was tried and for how long."""
    kind: type[Exception] = globals()[name]
    doing = f"{phase} phase, after {elapsed:.3f} s"
    error = kind(f"{request.method} {shown(request)}: {detail} ({doing})")
    if isinstance(error, RequestError):
        error.request, error.phase, error.elapsed = request, phase, elapsed
        error.was_left_alone = was_left_alone
    return error


def status_error(response: Response) -> HTTPStatusError:
    """Make what `raise_for_status()` raises."""
    kinds = {3: "a redirect", 4: "a client error", 5: "a server error"}
    status = f"{response.status_code} {response.reason_phrase}"
    kind = kinds.get(response.status_code // 100, "no success")
    request: Request = response.request
    message = f"{request.method} {shown(request)}: {status}, {kind}"
    if response.has_redirect_location:
        message += f" to {without_login(response.headers['location'])}"
    return HTTPStatusError(message, request=request, response=response)


def shown(request: Request) -> str:
    """Tell a request's URL without its password."""
    return repr(request.url)[len("URL('") : -len("')")]


def without_login(reference: str) -> str:
    """Tell a reference without what stands before its @."""
    scheme, slashes, rest = reference.partition("//")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{slashes}{authority.rpartition('@')[2]}{slash}{path}"


# They are known, and shown in tracebacks, by where people find them.
_OURS: list[type[Exception]] = [HTTPError, StreamError, CookieConflict, InvalidURL, ClientClosed]
while _OURS:
    _class = _OURS.pop()
    _class.__module__ = "hoopsnake"
    _OURS += _class.__subclasses__()
