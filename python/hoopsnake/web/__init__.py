"""hoopsnake.web: FastAPI's habits on a Rust engine."""

from hoopsnake.web._app import App
from hoopsnake.web._background import BackgroundTasks
from hoopsnake.web._errors import (
    HTTPException,
    RequestValidationError,
    ResponseValidationError,
    WebError,
)
from hoopsnake.web._event_stream import EventSourceResponse, JSONLinesResponse, ServerSentEvent
from hoopsnake.web._headers import Headers, MutableHeaders
from hoopsnake.web._parameters import Body, Cookie, Depends, Header, Path, Query
from hoopsnake.web._request import QueryParams, Request, State
from hoopsnake.web._responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from hoopsnake.web._routing import Router
from hoopsnake.web._websocket import WebSocket, WebSocketDisconnect

__all__ = [
    "App",
    "BackgroundTasks",
    "Body",
    "Cookie",
    "Depends",
    "EventSourceResponse",
    "HTMLResponse",
    "HTTPException",
    "Header",
    "Headers",
    "JSONLinesResponse",
    "JSONResponse",
    "MutableHeaders",
    "Path",
    "PlainTextResponse",
    "Query",
    "QueryParams",
    "RedirectResponse",
    "Request",
    "RequestValidationError",
    "Response",
    "ResponseValidationError",
    "Router",
    "ServerSentEvent",
    "State",
    "StreamingResponse",
    "WebError",
    "WebSocket",
    "WebSocketDisconnect",
]
