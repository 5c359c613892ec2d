"""hoopsnake: async Python for the web, on a Rust engine."""

from hoopsnake._errors import ClientDisconnected, LifespanError, ListenError, ServerError
from hoopsnake._event_loop import EventLoop, new_event_loop, run
from hoopsnake._loop_stats import DelayHistogram, LoopStats
from hoopsnake._native import __version__
from hoopsnake._policy import install
from hoopsnake._request_id import request_id
from hoopsnake._server import serve
from hoopsnake._server_config import ServerConfig
from hoopsnake._server_limits import ServerLimits

__all__ = [
    "ClientDisconnected",
    "DelayHistogram",
    "EventLoop",
    "LifespanError",
    "ListenError",
    "LoopStats",
    "ServerConfig",
    "ServerError",
    "ServerLimits",
    "__version__",
    "install",
    "new_event_loop",
    "request_id",
    "run",
    "serve",
]
