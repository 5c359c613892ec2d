"""hoopsnake.web: FastAPI's habits on a Rust engine."""

from typing import TYPE_CHECKING, Any

from hoopsnake.web import status
from hoopsnake.web._app import App
from hoopsnake.web._background import BackgroundTasks
from hoopsnake.web._bus import Bus, LocalBus
from hoopsnake.web._concurrency import inline
from hoopsnake.web._errors import (
    HTTPException,
    RequestValidationError,
    ResponseValidationError,
    WebError,
)
from hoopsnake.web._event_channel import EventChannel
from hoopsnake.web._event_stream import EventSourceResponse, JSONLinesResponse, ServerSentEvent
from hoopsnake.web._files import FileResponse
from hoopsnake.web._forms import FormData, FormLimits
from hoopsnake.web._handler_threads import HandlerThreads, ThreadStats, handler_threads
from hoopsnake.web._headers import Headers, MutableHeaders
from hoopsnake.web._jsonable import jsonable_encoder
from hoopsnake.web._parameters import (
    Body,
    Cookie,
    Depends,
    File,
    Form,
    Header,
    Path,
    Query,
    Security,
)
from hoopsnake.web._problems import ProblemResponse
from hoopsnake.web._rate_limit import RateLimit
from hoopsnake.web._request import QueryParams, Request, State
from hoopsnake.web._responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from hoopsnake.web._room import Room
from hoopsnake.web._routing import Router
from hoopsnake.web._static_files import StaticFiles
from hoopsnake.web._templates import TemplateResponse, Templates
from hoopsnake.web._turnstile import Turnstile
from hoopsnake.web._uploads import UploadFile
from hoopsnake.web._urls import NoMatchFound
from hoopsnake.web._websocket import WebSocket, WebSocketDisconnect, WebSocketException

if TYPE_CHECKING:
    from hoopsnake.web._test_client.async_client import AsyncTestClient
    from hoopsnake.web._test_client.client import TestClient

__all__ = [
    "App",
    "AsyncTestClient",
    "BackgroundTasks",
    "Body",
    "Bus",
    "Cookie",
    "Depends",
    "EventChannel",
    "EventSourceResponse",
    "File",
    "FileResponse",
    "Form",
    "FormData",
    "FormLimits",
    "HTMLResponse",
    "HTTPException",
    "HandlerThreads",
    "Header",
    "Headers",
    "JSONLinesResponse",
    "JSONResponse",
    "LocalBus",
    "MutableHeaders",
    "NoMatchFound",
    "Path",
    "PlainTextResponse",
    "ProblemResponse",
    "Query",
    "QueryParams",
    "RateLimit",
    "RedirectResponse",
    "Request",
    "RequestValidationError",
    "Response",
    "ResponseValidationError",
    "Room",
    "Router",
    "Security",
    "ServerSentEvent",
    "State",
    "StaticFiles",
    "StreamingResponse",
    "TemplateResponse",
    "Templates",
    "TestClient",
    "ThreadStats",
    "Turnstile",
    "UploadFile",
    "WebError",
    "WebSocket",
    "WebSocketDisconnect",
    "WebSocketException",
    "handler_threads",
    "inline",
    "jsonable_encoder",
    "status",
]


def __getattr__(name: str) -> Any:
    """Load the clients for tests where they are used: an application that serves needs none."""
    if name == "TestClient":
        from hoopsnake.web._test_client.client import TestClient

        return TestClient
    if name == "AsyncTestClient":
        from hoopsnake.web._test_client.async_client import AsyncTestClient

        return AsyncTestClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
