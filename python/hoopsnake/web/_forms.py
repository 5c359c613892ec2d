"""Forms as a request has them: read as they arrive, large files written to temporary ones."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, TypedDict, cast

from hoopsnake._native import FormReader
from hoopsnake.web._concurrency import run_in_thread
from hoopsnake.web._errors import HTTPException, WebError
from hoopsnake.web._headers import Headers
from hoopsnake.web._uploads import UploadFile

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["FormData", "FormLimits", "FormReading", "checked_limits", "merged_limits", "read_form"]

# A larger file does not stay in memory.
_IN_MEMORY = 1024 * 1024


class FormLimits(TypedDict, total=False):
    """What a form may have; one that has more is answered with 413.

    `max_fields` and `max_files` count (1000 each), `max_part_size` is the largest size in bytes of
    a field that is no file (1 MiB). How large a whole request may be, the server says.
    """

    max_fields: int
    max_files: int
    max_part_size: int


_DEFAULTS = {"max_fields": 1000, "max_files": 1000, "max_part_size": 1024 * 1024}


def checked_limits(limits: FormLimits | None) -> FormLimits:
    """Return limits, if they can be meant; raises WebError."""
    for name, value in (limits or {}).items():
        if name not in _DEFAULTS:
            raise WebError(f"there is no limit {name!r} of forms: there are {', '.join(_DEFAULTS)}")
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise WebError(f"the limit {name} of forms is a number of 0 or more, not {value!r}")
    return limits or {}


def merged_limits(*limits: Mapping[str, Any] | None) -> FormLimits:
    """Put limits together, the last of which counts; raises WebError for what cannot be meant."""
    merged: dict[str, Any] = {}
    for each in limits:
        merged.update(each or {})
    return checked_limits(cast(FormLimits, merged))


class FormData(Mapping[str, UploadFile | str]):
    """The fields of a form; of several values of one name a mapping shows the last."""

    def __init__(self, pairs: list[tuple[str, UploadFile | str]] | None = None) -> None:
        self._pairs = pairs or []
        self._by_name: dict[str, list[UploadFile | str]] = {}
        for name, value in self._pairs:
            self._by_name.setdefault(name, []).append(value)

    def __getitem__(self, name: str) -> UploadFile | str:
        return self._by_name[name][-1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def getlist(self, name: str) -> list[UploadFile | str]:
        """Return all values of a name, in their order."""
        return list(self._by_name.get(name, ()))

    def multi_items(self) -> list[tuple[str, UploadFile | str]]:
        """Return all pairs, in their order."""
        return list(self._pairs)

    async def close(self) -> None:
        """Close the files."""
        for _, value in self._pairs:
            if isinstance(value, UploadFile):
                await value.close()

    def __repr__(self) -> str:
        return f"FormData({self._pairs!r})"


class FormReading:
    """A form that is still to be read: awaited, or entered, and then closed in the end."""

    def __init__(self, reading: Coroutine[Any, Any, FormData]) -> None:
        self._reading = reading
        self._form: FormData | None = None

    def __await__(self) -> Generator[Any, None, FormData]:
        return self._reading.__await__()

    async def __aenter__(self) -> FormData:
        self._form = await self._reading
        return self._form

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._form is not None:
            await self._form.close()


async def read_form(
    content_type: str,
    chunks: AsyncIterator[bytes],
    limits: Mapping[str, Any],
    ahead: Callable[[FormReader], bool] | None = None,
) -> FormData:
    """Read a form as it arrives; what is none, by its content type, has no fields and is not read.

    `ahead` has the engine read what is there already, and says whether that was all; the rest comes
    in `chunks`. Raises HTTPException: 400 for a form that is broken, 413 for one that is too large.
    """
    given = {**_DEFAULTS, **limits}
    files: dict[int, Any] = {}
    try:
        reader = FormReader.for_type(
            content_type.encode("latin-1"),
            given["max_fields"],
            given["max_files"],
            given["max_part_size"],
            _IN_MEMORY,
        )
        if reader is None:
            return FormData()
        if ahead is None or not await _read_ahead(reader, ahead, files):
            async for chunk in chunks:
                overflow = reader.feed(chunk)
                if overflow:
                    # The disk is waited for on a thread; meanwhile no more of the body is taken.
                    await run_in_thread(_write, files, overflow)
        entries = reader.finish()
        if files:
            await run_in_thread(_rewind, files)
    except BaseException as error:
        for file in files.values():
            with contextlib.suppress(OSError):
                file.close()
        if isinstance(error, ValueError) and len(error.args) == 2:
            raise _refusal(*error.args) from None
        raise
    return FormData(
        [
            (name, value if isinstance(value, str) else _upload(value, files.get(number)))
            for number, (name, value) in enumerate(entries)
        ]
    )


async def _read_ahead(
    reader: FormReader, ahead: Callable[[FormReader], bool], files: dict[int, Any]
) -> bool:
    """Have the engine read what is there; return whether that was all."""
    while True:
        is_whole = ahead(reader)
        overflow = reader.overflow()
        if overflow:
            await run_in_thread(_write, files, overflow)
        if is_whole or not overflow:
            return is_whole


def _refusal(text: str, is_size: bool) -> HTTPException:
    return HTTPException(413 if is_size else 400, f"The form cannot be read: {text}")


def _write(files: dict[int, Any], overflow: list[tuple[int, bytes]]) -> None:
    for number, piece in overflow:
        if number not in files:
            # It has no name, so it is gone when it is closed, whatever becomes of us.
            files[number] = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        rest = memoryview(piece)
        while rest:
            # Each call gives the interpreter to the loop and waits for it again: so no buffer.
            rest = rest[files[number].write(rest) or 0 :]


def _rewind(files: dict[int, Any]) -> None:
    for number, file in files.items():
        file.seek(0)
        files[number] = io.BufferedRandom(file)


def _upload(
    told: tuple[str, list[tuple[bytes, bytes]], int, bytes | None], file: BinaryIO | None
) -> UploadFile:
    filename, headers, size, content = told
    if file is None:
        return UploadFile._in_memory(content or b"", filename, Headers(headers))
    return UploadFile(file, size=size, filename=filename, headers=Headers(headers))
