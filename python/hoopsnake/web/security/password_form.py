"""The form by which a client asks for a token (RFC 6749 section 4.3.2)."""

from __future__ import annotations

from typing import Annotated, Any

from hoopsnake.web._parameters import Form

__all__ = ["OAuth2PasswordRequestForm", "OAuth2PasswordRequestFormStrict"]


class _Secret:
    """Says in the document that nobody should see what is typed here (pydantic asks for it)."""

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Any) -> dict[str, Any]:
        schema: dict[str, Any] = handler(core_schema)
        return {**schema, "format": "password"}


_SECRET = _Secret()


class OAuth2PasswordRequestForm:
    """Name and password of a form, as a dependency: `Annotated[..., Depends()]`.

    `scopes` are those that are asked for, in their order. `grant_type` has to be `password` where
    it is sent; `client_id` and `client_secret` are there if the client names itself in the form.
    """

    def __init__(
        self,
        *,
        grant_type: Annotated[str | None, Form(pattern="^password$")] = None,
        username: Annotated[str, Form()],
        password: Annotated[str, Form(), _SECRET],
        scope: Annotated[str, Form()] = "",
        client_id: Annotated[str | None, Form()] = None,
        client_secret: Annotated[str | None, Form(), _SECRET] = None,
    ) -> None:
        self.grant_type = grant_type
        self.username = username
        self.password = password
        self.scopes = scope.split()
        self.client_id = client_id
        self.client_secret = client_secret


class OAuth2PasswordRequestFormStrict(OAuth2PasswordRequestForm):
    """The same, where `grant_type` has to be sent, as the standard wants it.

    Its fields are described as FastAPI describes them: as plain texts.
    """

    def __init__(
        self,
        grant_type: Annotated[str, Form(pattern="^password$")],
        username: Annotated[str, Form()],
        password: Annotated[str, Form()],
        scope: Annotated[str, Form()] = "",
        client_id: Annotated[str | None, Form()] = None,
        client_secret: Annotated[str | None, Form()] = None,
    ) -> None:
        super().__init__(
            grant_type=grant_type,
            username=username,
            password=password,
            scope=scope,
            client_id=client_id,
            client_secret=client_secret,
        )
