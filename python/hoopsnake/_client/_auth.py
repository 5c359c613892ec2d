"""Who a request comes from: what `auth` may be, and the ways of HTTP to tell it."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncGenerator, Callable, Generator
from pathlib import Path
from urllib.parse import unquote

from hoopsnake._client._errors import LocalProtocolError, shown
from hoopsnake._client._request import Request
from hoopsnake._native import DigestChallenge, Netrc, Response, basic_authorization

# A nonce is remembered for so many origins.
MOST_CHALLENGES = 64


class Auth:
    """A way to authenticate, for `auth=` of a client or a request; the base of all.

    A way of one's own has `auth_flow()`, a generator: what it yields is sent, and it is sent the
    response, so that it may yield another request. With `requires_response_body` the response is
    read before that, and with `requires_request_body` the request's body is in `content` as bytes.
    A flow that has to wait overrides `async_auth_flow()` instead.
    """

    requires_request_body = False
    requires_response_body = False

    def auth_flow(self, request: Request) -> Generator[Request, Response, None]:
        """Yield the requests to send, one after the other."""
        yield request

    async def async_auth_flow(self, request: Request) -> AsyncGenerator[Request, Response]:
        """Do the same, for a flow that has to wait."""
        flow = self.auth_flow(request)
        following = next(flow)
        while True:
            response = yield following
            if self.requires_response_body:
                await response.aread()
            try:
                following = flow.send(response)
            except StopIteration:
                return

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class BasicAuth(Auth):
    """A name and a password with every request (RFC 7617)."""

    def __init__(self, username: str | bytes, password: str | bytes) -> None:
        """Raises ValueError for a name with a colon, and for control characters."""
        self._value = basic_authorization(text(username), text(password))

    def auth_flow(self, request: Request) -> Generator[Request, Response, None]:
        """Yield the request with its Authorization."""
        request.headers["authorization"] = self._value
        yield request


class BearerAuth(Auth):
    """A token with every request (RFC 6750)."""

    def __init__(self, token: str) -> None:
        self._value = f"Bearer {token}"

    def auth_flow(self, request: Request) -> Generator[Request, Response, None]:
        """Yield the request with its Authorization."""
        request.headers["authorization"] = self._value
        yield request


class FunctionAuth(Auth):
    """A function that changes the request and returns it."""

    def __init__(self, function: Callable[[Request], Request]) -> None:
        self._function = function

    def auth_flow(self, request: Request) -> Generator[Request, Response, None]:
        """Yield what the function makes of the request."""
        yield self._function(request)


class DigestAuth(Auth):
    """A name and a password that are not sent but proved, when a server asks for it (RFC 7616).

    The first request is answered by a 401 with the server's challenge, and sent once more; those
    that come after it answer the same challenge, counted, until the server makes another one.
    """

    def __init__(self, username: str | bytes, password: str | bytes) -> None:
        self._username = text(username)
        self._password = text(password)
        self._challenges: dict[tuple[str, str, int | None], DigestChallenge] = {}

    def auth_flow(self, request: Request) -> Generator[Request, Response, None]:
        """Yield the request, and once more with the answer to a challenge."""
        origin = (request.url.scheme, request.url.host, request.url.port)
        known = self._challenges.get(origin)
        if known is not None:
            self._answer(request, known)
        response = yield request
        # A nonce that has become too old in between is no wrong password: then once more.
        for may_be_stale in (True, False):
            if response.status_code != 401:
                return
            challenge = DigestChallenge.strongest(response.headers.get_list("www-authenticate"))
            if challenge is None or not (may_be_stale or challenge.is_stale):
                return
            if len(self._challenges) >= MOST_CHALLENGES:
                self._challenges.clear()
            self._challenges[origin] = challenge
            self._answer(request, challenge)
            response = yield request

    def _answer(self, request: Request, challenge: DigestChallenge) -> None:
        nonce = secrets.token_hex(16)
        who = (self._username, self._password)
        request.headers["authorization"] = challenge.authorization(
            *who, request.method, request.url, nonce
        )


class NetRCAuth(Auth):
    """The logins of a netrc, a file that curl, git and others share: each for its own host."""

    def __init__(self, file: str | os.PathLike[str] | None = None) -> None:
        """Read `file`, or `~/.netrc`. Raises OSError and ValueError if that cannot be read."""
        path = Path.home() / ".netrc" if file is None else Path(file)
        self._logins = Netrc(path.read_text(encoding="utf-8"))

    def auth_flow(self, request: Request) -> Generator[Request, Response, None]:
        """Yield the request, with an Authorization if there is a login for its host."""
        login = self._logins.login(request.url.host)
        if login is not None:
            request.headers["authorization"] = basic_authorization(*login)
        yield request


class UnreadableLogins(Auth):
    """A file that the environment names, and nobody may have meant for this program.

    Only a request that would have its login from there fails.
    """

    def __init__(self, file: str, error: Exception) -> None:
        self._words = f"the logins that NETRC names, {file}, cannot be read: {error} (trust_env)"

    def auth_flow(self, request: Request) -> Generator[Request, Response, None]:
        """Raise LocalProtocolError instead of yielding the request."""
        error = LocalProtocolError(f"{request.method} {shown(request)}: {self._words}")
        error.request = request
        raise error


AuthTypes = Auth | tuple[str | bytes, str | bytes] | str | Callable[[Request], Request]


def as_auth(given: AuthTypes | None) -> Auth | None:
    """Read what may be given for authentication."""
    if given is None or isinstance(given, Auth):
        return given
    if isinstance(given, str):
        return BearerAuth(given)
    if isinstance(given, tuple):
        return BasicAuth(*given)
    if callable(given):
        return FunctionAuth(given)
    raise TypeError(
        "auth is a pair of name and password, a bearer token, a function, or an Auth, "
        f"not {type(given)}"
    )


def for_request(given: Auth | None, request: Request, logins: Auth | None) -> Auth | None:
    """Choose: what was given, else what the URL has before its @, else the file of logins."""
    if given is not None or "authorization" in request.headers:
        return given
    url = request.url
    if url.username or url.password:
        return BasicAuth(unquote(url.username), unquote(url.password))
    return logins


def of_environment() -> Auth | None:
    """Read the file of logins that the variable NETRC names, if there is one."""
    file = os.environ.get("NETRC")
    if not file or not os.path.exists(file):
        return None
    try:
        return NetRCAuth(file)
    except (OSError, ValueError) as error:
        return UnreadableLogins(file, error)


def text(given: str | bytes) -> str:
    """Read a name or a password."""
    return given if isinstance(given, str) else given.decode()
