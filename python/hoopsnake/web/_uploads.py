"""`UploadFile`: a file that a client sends in a form."""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from hoopsnake.web._annotations import item_of
from hoopsnake.web._concurrency import run_in_thread
from hoopsnake.web._headers import Headers

__all__ = ["UploadFile", "takes_files"]


class UploadFile:
    """A file of a form. In memory up to 1 MiB; what is larger is in an anonymous temporary file.

    `filename` is what the client calls it, and may be anything: it is no path to be opened.
    `headers` are those of its part, `size` is how many bytes it has. It is closed when the response
    has been sent and its background tasks are done.
    """

    def __init__(
        self,
        file: BinaryIO,
        *,
        size: int | None = None,
        filename: str | None = None,
        headers: Headers | None = None,
    ) -> None:
        self.filename = filename
        self.size = size
        self.headers = headers if headers is not None else Headers()
        self._file: BinaryIO | None = file
        self._content: bytes | None = None
        """All of it, while nobody has asked for more than that."""

    @classmethod
    def _in_memory(cls, content: bytes, filename: str, headers: Headers) -> UploadFile:
        made = cls.__new__(cls)
        made.filename, made.size, made.headers = filename, len(content), headers
        made._file, made._content = None, content
        return made

    @property
    def content_type(self) -> str | None:
        """What the client says that it is."""
        return self.headers.get("content-type")

    @property
    def file(self) -> BinaryIO:
        """The file itself, for functions that are not `async`: its methods may block."""
        if self._file is None:
            # Shares the bytes until one of both is changed.
            self._file = io.BytesIO(self._content or b"")
            self._content = None
        return self._file

    async def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes from where the file stands; without it, all that is left."""
        read: bytes = await self._call(self.file.read, size)
        return read

    async def seek(self, offset: int) -> None:
        """Go to a byte of the file."""
        await self._call(self.file.seek, offset)

    async def write(self, data: bytes) -> None:
        """Write where the file stands."""
        file = self.file
        await self._call(file.write, data)
        if self.size is not None:
            self.size = max(self.size, file.tell())

    async def close(self) -> None:
        """Close the file; what was in it is gone."""
        if self._file is None and self._content is not None:
            self._content = None
            self._file = io.BytesIO()
        await self._call(self.file.close)

    async def _call(self, method: Callable[..., Any], *args: Any) -> Any:
        """Call what does not block here, and anything else on a thread."""
        if isinstance(self._file, io.BytesIO):
            return method(*args)
        return await run_in_thread(method, *args)

    def _all(self) -> bytes:
        """All of it, wherever the file stands; blocks if it is not in memory."""
        if self._content is not None:
            return self._content
        file = self.file
        place = file.tell()
        file.seek(0)
        content = file.read()
        file.seek(place)
        return content

    @property
    def _blocks(self) -> bool:
        return self._content is None and not isinstance(self._file, io.BytesIO)

    def __repr__(self) -> str:
        return f"UploadFile(filename={self.filename!r}, size={self.size!r})"

    @staticmethod
    def _validated(value: Any) -> UploadFile:
        if not isinstance(value, UploadFile):
            raise ValueError(f"Expected UploadFile, received: {type(value)}")
        return value

    # What pydantic asks of a class that it does not know.

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> dict[str, Any]:
        function = {"type": "no-info", "function": cls._validated}
        return {"type": "function-plain", "function": function}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Mapping[str, Any], handler: Any) -> Any:
        return {"type": "string", "contentMediaType": "application/octet-stream"}


def takes_files(annotation: Any) -> bool:
    """Whether a parameter without a marker is a file, or several."""
    item = item_of(annotation)
    return inspect.isclass(item) and issubclass(item, UploadFile)
