"""What `_native` has for the web framework: a stub of its own, as that one would be too long."""

from collections.abc import Awaitable, Callable
from typing import Any, final

from hoopsnake.web._door import Opening
from hoopsnake.web._parameters import Declared
from hoopsnake.web._plain_models import Shape

@final
class Arrival:
    """A request that came to its route without ASGI."""

    @property
    def arguments(self) -> list[Any]:
        """What the engine has read."""

    @property
    def errors(self) -> list[tuple[int, dict[str, Any]]] | None:
        """What is wrong with the request, each with the number of its parameter."""

    @property
    def body(self) -> bytes | None:
        """The body, where the route needs one."""

    def read_form(self, form: FormReader) -> bool:
        """Read into a form what of the body is there, until something of it is to be written.

        Returns whether that was all of the body. Raises what `FormReader.feed` does.
        """

    @property
    def receive(self) -> Callable[[], Awaitable[dict[str, Any]]]:
        """ASGI's `receive`."""

    @property
    def send(self) -> Callable[[dict[str, Any]], Awaitable[None]]:
        """ASGI's `send`."""

    def scope(self) -> dict[str, Any]:
        """Make the request's ASGI scope."""

@final
class Door:
    """The way into an application for a server that needs no ASGI between; closed at first."""

    def __new__(cls) -> Door: ...
    def open(self, opening: Opening) -> None:
        """Let requests in to the routes as they are now."""

    def close(self) -> None:
        """Have requests come by ASGI."""

@final
class Audience:
    """Clients that are sent the same: the WebSockets of a room, the streams of a channel."""

    def __new__(cls, limit: int) -> Audience:
        """With no more than about `limit` bytes that wait for each of them."""

    def join(self, send: Any, left: Callable[[], object]) -> int | None:
        """Add whom an application's `send` sends to; return its number.

        None if that `send` is not this server's. `left` is called once, if the connection ends.
        """

    def leave(self, ticket: int) -> None:
        """Take it out again; what waits is still sent."""

    def tell(self, message: str | bytes) -> tuple[int, list[int]]:
        """Send a message to all; return how many took it, and the numbers of those who are full."""

    def behind(self) -> list[int]:
        """Return the numbers of those for whom too much waits."""

    def caught_up(self, ticket: int) -> Awaitable[None] | None:
        """Return a future that is done once nothing waits for it; None if nothing does."""

    def dismiss(self, ticket: int, code: int, reason: str) -> None:
        """End its connection, a WebSocket's with this code."""

    def __len__(self) -> int: ...

@final
class ModelWriter:
    """Writes values of a type whose models are plain, as JSON, without pydantic."""

    def __new__(cls, shape: Shape) -> ModelWriter: ...
    def __call__(self, value: object) -> bytes | None:
        """Return a value as JSON; None if it is not as its type declares."""

@final
class Routes:
    """The routes of an application and what their handlers are given."""

    def __new__(cls) -> Routes: ...
    def add(self, pattern: str, methods: list[str] | None, parameters: list[Declared]) -> int:
        """Add a route for methods, or for all of them; return its number.

        Raises ValueError for a pattern or a parameter that cannot be meant.
        """

    @staticmethod
    def path_names(pattern: str) -> list[str]:
        """Return the names of the parameters of a path; raises ValueError for a bad pattern."""

    def find(self, method: str, path: str) -> tuple[int, list[str]] | tuple[None, list[str] | None]:
        """Find the route of a request, and what its path's parameters take.

        `path` is percent-encoded. Where there is none: None, and the methods there are routes for.
        """

    def knows(self, path: str) -> bool:
        """Return whether a path leads anywhere, whatever the method."""

    def read(
        self,
        route: int,
        captured: list[str],
        query: bytes,
        headers: list[tuple[bytes, bytes]],
    ) -> tuple[list[Any], list[tuple[int, dict[str, Any]]] | None]:
        """Read what a handler is given: its arguments, and what is wrong with the request or None.

        Each error comes with the number of its parameter, whose argument is its default then.
        """

def encode_json(value: object, other: Callable[[Any], object]) -> bytes:
    """Write an object as JSON. What has no JSON of its own goes to `other`.

    That returns an object that has, or bytes that are JSON already. Raises TypeError and
    ValueError for what cannot be written.
    """

def cookies(line: str) -> dict[str, str]:
    """Read a Cookie header (RFC 6265 section 5.4); of several cookies of one name the last."""

@final
class FormReader:
    """Reads a form as its chunks arrive.

    A form that is refused is a ValueError of two arguments: why and where, and whether the form is
    only too large.
    """

    @staticmethod
    def for_type(
        content_type: bytes,
        max_fields: int,
        max_files: int,
        max_part_size: int,
        file_in_memory: int,
    ) -> FormReader | None:
        """Make the reader for a Content-Type; None if that announces no form."""

    def feed(self, chunk: bytes | bytearray) -> list[tuple[int, bytes]] | None:
        """Read a chunk; return what of large files is to be written now, by their entries."""

    def overflow(self) -> list[tuple[int, bytes]] | None:
        """Return what of large files is to be written now, by their entries."""

    def finish(
        self,
    ) -> list[tuple[str, str | tuple[str, list[tuple[bytes, bytes]], int, bytes | None]]]:
        """Return all fields: texts, or file name, headers, size and content of files.

        The content of a file that was handed out in pieces is None.
        """

@final
class Folder:
    """A folder, of which files are opened and none outside of it; raises OSError if it is none."""

    def __new__(cls, path: str) -> Folder: ...
    def open(self, name: bytes) -> int | None:
        """Open what is there by a name of `relative_path`; return the descriptor, or None."""

def answer_file(
    headers: list[tuple[bytes, bytes]],
    size: int,
    tag: bytes,
    modified: int | None,
    is_settled: bool,
    content_type: str,
) -> tuple[int, list[tuple[bytes, bytes]], list[tuple[bytes, int, int]], bytes]:
    """Answer a GET or HEAD with a file, by its conditions and ranges (RFC 9110 sections 13, 14).

    `modified` are seconds since 1970. Returns the status, headers to set, the pieces (what stands
    before each, where it begins in the file, how long it is), and what stands behind them.
    """

def content_type_of(name: str) -> str:
    """Return the media type of a file, by its name."""

def relative_path(encoded: str, takes_hidden: bool) -> bytes | None:
    """Return a percent-encoded path as names that are safe to look up; None for any other."""
