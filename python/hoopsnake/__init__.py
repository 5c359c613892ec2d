"""hoopsnake: async Python for the web, on a Rust engine."""

from hoopsnake._event_loop import EventLoop, new_event_loop, run
from hoopsnake._native import __version__
from hoopsnake._policy import install

__all__ = ["EventLoop", "__version__", "install", "new_event_loop", "run"]
