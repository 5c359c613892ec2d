"""OAuth 2.0 bearer tokens (RFC 6749, RFC 6750), by the flow that clients get them with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hoopsnake.web._request import HTTPConnection
from hoopsnake.web._security_scheme import SecurityScheme, scheme_and_credentials

__all__ = ["OAuth2", "OAuth2AuthorizationCodeBearer", "OAuth2PasswordBearer"]


class OAuth2(SecurityScheme):
    """The whole of `Authorization`; `flows` are the OpenAPI document's "OAuth Flows Object"."""

    def __init__(
        self,
        *,
        flows: Mapping[str, Any] | None = None,
        scheme_name: str | None = None,
        description: str | None = None,
        auto_error: bool = True,
    ) -> None:
        super().__init__(
            {"type": "oauth2", "flows": dict(flows or {})},
            scheme_name=scheme_name,
            description=description,
            auto_error=auto_error,
        )

    async def __call__(self, request: HTTPConnection) -> str | None:
        """Find what authorizes the request."""
        authorization = request.headers.get("authorization")
        if not authorization:
            self.refuse()
        return authorization or None


class _Bearer(OAuth2):
    async def __call__(self, request: HTTPConnection) -> str | None:
        """Find the token."""
        scheme, token = scheme_and_credentials(request.headers.get("authorization"))
        if scheme.lower() != "bearer":
            self.refuse()
            return None
        return token


class OAuth2PasswordBearer(_Bearer):
    """A token that clients get for a name and a password, at `tokenUrl`.

    `scopes` are those there are, with a description each; `refreshUrl` is where tokens are renewed.
    """

    def __init__(
        self,
        tokenUrl: str,
        scheme_name: str | None = None,
        scopes: Mapping[str, str] | None = None,
        description: str | None = None,
        auto_error: bool = True,
        refreshUrl: str | None = None,
    ) -> None:
        super().__init__(
            flows={"password": _flow(scopes, refreshUrl, tokenUrl=tokenUrl)},
            scheme_name=scheme_name,
            description=description,
            auto_error=auto_error,
        )


class OAuth2AuthorizationCodeBearer(_Bearer):
    """A token that clients get at `tokenUrl` for a code from `authorizationUrl`."""

    def __init__(
        self,
        authorizationUrl: str,
        tokenUrl: str,
        refreshUrl: str | None = None,
        scheme_name: str | None = None,
        scopes: Mapping[str, str] | None = None,
        description: str | None = None,
        auto_error: bool = True,
    ) -> None:
        urls = {"authorizationUrl": authorizationUrl, "tokenUrl": tokenUrl}
        super().__init__(
            flows={"authorizationCode": _flow(scopes, refreshUrl, **urls)},
            scheme_name=scheme_name,
            description=description,
            auto_error=auto_error,
        )


def _flow(scopes: Mapping[str, str] | None, refresh_url: str | None, **urls: str) -> dict[str, Any]:
    flow: dict[str, Any] = {"scopes": dict(scopes or {}), **urls}
    if refresh_url is not None:
        flow["refreshUrl"] = refresh_url
    return flow
