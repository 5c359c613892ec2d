"""What is wrong as problem details (RFC 9457), for `App(errors="problem")`."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from hoopsnake.web._concurrency import inline
from hoopsnake.web._errors import HTTPException, RequestValidationError
from hoopsnake.web._request import Request
from hoopsnake.web._responses import JSONResponse, Response

__all__ = [
    "MEDIA_TYPE",
    "PROBLEM_SCHEMAS",
    "ProblemResponse",
    "answer_http_exception",
    "answer_validation_error",
]

MEDIA_TYPE = "application/problem+json"

PROBLEM_SCHEMAS: dict[str, dict[str, Any]] = {
    "Problem": {
        "title": "Problem",
        "description": "What is wrong (RFC 9457).",
        "type": "object",
        "properties": {
            "type": {"title": "Type", "type": "string", "default": "about:blank"},
            "title": {"title": "Title", "type": "string"},
            "status": {"title": "Status", "type": "integer"},
            "detail": {"title": "Detail", "type": "string"},
            "errors": {
                "title": "Errors",
                "type": "array",
                "items": {"$ref": "#/components/schemas/ValidationError"},
            },
        },
        "required": ["title", "status"],
    }
}


class ProblemResponse(JSONResponse):
    """An answer of `application/problem+json`; `more` are members of one's own."""

    media_type = MEDIA_TYPE

    def __init__(
        self,
        status_code: int,
        detail: str | None = None,
        *,
        type: str = "about:blank",
        title: str | None = None,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        problem = {"type": type, "title": title or _phrase(status_code), "status": status_code}
        if detail is not None and detail != problem["title"]:
            problem["detail"] = detail
        super().__init__({**more, **problem}, status_code, headers)


@inline
def answer_http_exception(request: Request, error: HTTPException) -> Response:
    """Answer an HTTPException. A `detail` that is a dict has the members of the problem.

    Where it is neither that nor a text it is the member `errors`.
    """
    if error.status_code in (204, 304):
        return Response(status_code=error.status_code, headers=error.headers)
    detail = error.detail
    if isinstance(detail, dict):
        more = {key: value for key, value in detail.items() if key not in ("status", "headers")}
        return ProblemResponse(error.status_code, headers=error.headers, **more)
    if isinstance(detail, str):
        return ProblemResponse(error.status_code, detail, headers=error.headers)
    return ProblemResponse(error.status_code, headers=error.headers, errors=detail)


@inline
def answer_validation_error(request: Request, error: RequestValidationError) -> Response:
    """Answer a request that is not what the handler takes; `errors` says what, and where."""
    found = error.errors()
    detail = "1 error in the request" if len(found) == 1 else f"{len(found)} errors in the request"
    return ProblemResponse(422, detail, errors=found)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
