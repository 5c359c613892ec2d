"""What a handler raises to answer with something else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

__all__ = ["HTTPException", "RequestValidationError", "ResponseValidationError", "WebError"]


class WebError(Exception):
    """An application was put together in a way that cannot work; raised where it is."""


class HTTPException(Exception):
    """Answers with a status; `detail` is the response's `detail`, the status' phrase without one.

    `headers` are added to the response.
    """

    def __init__(
        self, status_code: int, detail: Any = None, headers: Mapping[str, str] | None = None
    ) -> None:
        self.status_code = status_code
        self.detail = HTTPStatus(status_code).phrase if detail is None else detail
        self.headers = dict(headers) if headers is not None else None
        super().__init__(status_code, self.detail)

    def __str__(self) -> str:
        return f"{self.status_code}: {self.detail}"


class RequestValidationError(Exception):
    """What a client sent is not what the handler takes; answered with 422.

    `errors()` lists what is wrong, each with `type`, `loc`, `msg` and `input`; `body` is the JSON
    that was sent, if any was.
    """

    def __init__(self, errors: Sequence[Any], *, body: Any = None) -> None:
        self._errors = list(errors)
        self.body = body
        super().__init__(f"{len(self._errors)} errors in the request")

    def errors(self) -> list[Any]:
        """Return what is wrong."""
        return self._errors


class ResponseValidationError(Exception):
    """A handler returned what its return type does not allow; answered with 500."""
