"""What all security schemes have: a place in the OpenAPI document, and a refusal."""

from __future__ import annotations

from typing import Any

from hoopsnake.web._errors import HTTPException

__all__ = ["SecurityScheme", "scheme_and_credentials"]


class SecurityScheme:
    """A dependency that finds what a client authenticates with; it does not judge it.

    `model` is the scheme's OpenAPI (section 4.8.27, "Security Scheme Object"), `scheme_name` its
    name there. Where there is nothing to be found the request is answered with 401, or with
    `auto_error=False` the result is None.
    """

    challenge = "Bearer"
    """What `WWW-Authenticate` asks for (RFC 9110 section 11.6.1)."""

    def __init__(
        self,
        model: dict[str, Any],
        *,
        scheme_name: str | None = None,
        description: str | None = None,
        auto_error: bool = True,
    ) -> None:
        self.model = model if description is None else {**model, "description": description}
        self.scheme_name = scheme_name or type(self).__name__
        self.auto_error = auto_error

    def make_not_authenticated_error(self) -> HTTPException:
        """Make the answer to a request that does not authenticate."""
        return HTTPException(401, "Not authenticated", {"WWW-Authenticate": self.challenge})

    def refuse(self) -> None:
        """Raise HTTPException (401), but for where the application decides itself."""
        if self.auto_error:
            raise self.make_not_authenticated_error()


def scheme_and_credentials(authorization: str | None) -> tuple[str, str]:
    """Take `Authorization` apart (RFC 9110 section 11.4); both are empty where it is not there."""
    scheme, _, credentials = (authorization or "").partition(" ")
    return scheme, credentials.strip()
