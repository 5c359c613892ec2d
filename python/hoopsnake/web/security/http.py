"""HTTP's own schemes: Basic (RFC 7617), Bearer (RFC 6750) and Digest (RFC 7616)."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from hoopsnake.web._request import HTTPConnection
from hoopsnake.web._security_scheme import SecurityScheme, scheme_and_credentials

__all__ = [
    "HTTPAuthorizationCredentials",
    "HTTPBasic",
    "HTTPBasicCredentials",
    "HTTPBearer",
    "HTTPDigest",
]


@dataclass(frozen=True, slots=True)
class HTTPAuthorizationCredentials:
    """What `Authorization` says: the scheme as it was written, and what follows it."""

    scheme: str
    credentials: str


@dataclass(frozen=True, slots=True)
class HTTPBasicCredentials:
    """A name and a password; compare them with `secrets.compare_digest`, as bytes."""

    username: str
    password: str


class HTTPBasic(SecurityScheme):
    """Name and password, which a browser asks for by itself; `realm` is what it says for what."""

    def __init__(
        self,
        *,
        scheme_name: str | None = None,
        realm: str | None = None,
        description: str | None = None,
        auto_error: bool = True,
    ) -> None:
        super().__init__(
            {"type": "http", "scheme": "basic"},
            scheme_name=scheme_name,
            description=description,
            auto_error=auto_error,
        )
        if realm is not None and not (realm.isprintable() and realm.isascii()):
            raise ValueError(f"a realm has printable ASCII characters: {realm!r}")
        self.realm = realm
        quoted = realm.replace("\\", "\\\\").replace('"', '\\"') if realm else ""
        self.challenge = f'Basic realm="{quoted}"' if realm else "Basic"

    async def __call__(self, request: HTTPConnection) -> HTTPBasicCredentials | None:
        """Find name and password; those that cannot be read are refused in any case."""
        scheme, credentials = scheme_and_credentials(request.headers.get("authorization"))
        if scheme.lower() != "basic":
            self.refuse()
            return None
        try:
            # Browsers write UTF-8, whatever they are told (RFC 7617 section 2.1).
            pair = base64.b64decode(credentials, validate=True).decode()
        except ValueError:
            raise self.make_not_authenticated_error() from None
        username, is_pair, password = pair.partition(":")
        if not is_pair:
            raise self.make_not_authenticated_error()
        return HTTPBasicCredentials(username, password)


class HTTPBearer(SecurityScheme):
    """A token; `bearerFormat` is a hint for the documentation."""

    _scheme = "bearer"

    def __init__(
        self,
        *,
        bearerFormat: str | None = None,
        scheme_name: str | None = None,
        description: str | None = None,
        auto_error: bool = True,
    ) -> None:
        model = {"type": "http", "scheme": self._scheme}
        if bearerFormat is not None:
            model["bearerFormat"] = bearerFormat
        super().__init__(
            model, scheme_name=scheme_name, description=description, auto_error=auto_error
        )
        self.challenge = self._scheme.title()

    async def __call__(self, request: HTTPConnection) -> HTTPAuthorizationCredentials | None:
        """Find the scheme and its credentials."""
        scheme, credentials = scheme_and_credentials(request.headers.get("authorization"))
        if scheme.lower() != self._scheme or not credentials:
            self.refuse()
            return None
        return HTTPAuthorizationCredentials(scheme, credentials)


class HTTPDigest(HTTPBearer):
    """Digest credentials as they were sent: challenging and checking them is the application's."""

    _scheme = "digest"

    def __init__(
        self,
        *,
        scheme_name: str | None = None,
        description: str | None = None,
        auto_error: bool = True,
    ) -> None:
        super().__init__(scheme_name=scheme_name, description=description, auto_error=auto_error)
