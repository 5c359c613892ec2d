"""A program made with FastAPI and with hoopsnake.web: only the import differs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import fastapi
import fastapi.encoders
import fastapi.exceptions
import fastapi.responses
import fastapi.websockets

from hoopsnake import web as hoopsnake_web

__all__ = ["OURS", "THEIRS", "Asked", "Chapter", "Web"]

# What a program imports of either, by one name.
Web = Any

Asked = str | tuple[Any, ...]


class Chapter(NamedTuple):
    """A program, and what it is asked: a path, or method, path, JSON and headers."""

    name: str
    make: Callable[[Web], Any]
    asked: Sequence[Asked]


OURS: Web = SimpleNamespace(
    is_fastapi=False,
    **{name: getattr(hoopsnake_web, name) for name in hoopsnake_web.__all__},
)
THEIRS: Web = SimpleNamespace(
    is_fastapi=True,
    **{
        **{name: getattr(fastapi, name) for name in fastapi.__dict__ if name[0] != "_"},
        **{
            name: getattr(fastapi.responses, name)
            for name in dir(fastapi.responses)
            if name.endswith("Response")
        },
    },
    App=fastapi.FastAPI,
    Router=fastapi.APIRouter,
    RequestValidationError=fastapi.exceptions.RequestValidationError,
    jsonable_encoder=fastapi.encoders.jsonable_encoder,
)
