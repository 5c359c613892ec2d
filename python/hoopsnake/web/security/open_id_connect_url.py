"""OpenID Connect, described by where its discovery document is."""

from __future__ import annotations

from hoopsnake.web._request import HTTPConnection
from hoopsnake.web._security_scheme import SecurityScheme

__all__ = ["OpenIdConnect"]


class OpenIdConnect(SecurityScheme):
    """The whole of `Authorization`; `openIdConnectUrl` is for clients, nothing is fetched."""

    def __init__(
        self,
        *,
        openIdConnectUrl: str,
        scheme_name: str | None = None,
        description: str | None = None,
        auto_error: bool = True,
    ) -> None:
        super().__init__(
            {"type": "openIdConnect", "openIdConnectUrl": openIdConnectUrl},
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
