"""A key of the application's own, in a header, the query or a cookie."""

from __future__ import annotations

from collections.abc import Mapping

from hoopsnake.web._request import HTTPConnection
from hoopsnake.web._security_scheme import SecurityScheme

__all__ = ["APIKeyCookie", "APIKeyHeader", "APIKeyQuery"]


class _APIKey(SecurityScheme):
    # There is no registered scheme for these, and a 401 has to have one.
    challenge = "APIKey"
    _place = ""

    def __init__(
        self,
        *,
        name: str,
        scheme_name: str | None = None,
        description: str | None = None,
        auto_error: bool = True,
    ) -> None:
        super().__init__(
            {"type": "apiKey", "in": self._place, "name": name},
            scheme_name=scheme_name,
            description=description,
            auto_error=auto_error,
        )
        self._name = name

    async def __call__(self, request: HTTPConnection) -> str | None:
        """Find the key."""
        key = self._values(request).get(self._name)
        if not key:
            self.refuse()
        return key or None

    def _values(self, request: HTTPConnection) -> Mapping[str, str]:
        raise NotImplementedError


class APIKeyHeader(_APIKey):
    """The key is the value of the header `name`."""

    _place = "header"

    def _values(self, request: HTTPConnection) -> Mapping[str, str]:
        return request.headers


class APIKeyQuery(_APIKey):
    """The key is the value of `name` in the query; it ends up in logs and histories."""

    _place = "query"

    def _values(self, request: HTTPConnection) -> Mapping[str, str]:
        return request.query_params


class APIKeyCookie(_APIKey):
    """The key is the value of the cookie `name`."""

    _place = "cookie"

    def _values(self, request: HTTPConnection) -> Mapping[str, str]:
        return request.cookies
