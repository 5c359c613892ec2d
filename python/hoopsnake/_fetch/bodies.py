"""Where a body goes: nowhere, into the line, or into a file with a name that does no harm."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import mimetypes
import os
import re
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hoopsnake import Response

__all__ = ["Body", "BodyTooLarge", "file_name"]

LONGEST_NAME = 100
_numbers = count()


class BodyTooLarge(Exception):
    """It is larger than is taken."""


class Body:
    """One body, as it comes: counted, and put where it is wanted.

    Raises OSError where a file cannot be written.
    """

    def __init__(
        self,
        url: str,
        response: Response,
        *,
        inline: bool,
        folder: str | None,
        sums: bool,
        most: int,
    ) -> None:
        self.size = 0
        self._most = most
        self._kind = response.headers.get("content-type") or ""
        self._encoding = response.encoding
        self._sum = hashlib.sha256() if sums else None
        self._whole = bytearray() if inline else None
        self._name = file_name(url, self._kind) if folder is not None else None
        self._path = os.path.join(folder, self._name) if folder is not None and self._name else None
        # A name of its own until it is whole: the same URL may be fetched twice at once.
        self._unfinished = f"{self._path}.{os.getpid()}-{next(_numbers)}.part"
        # Closed by whichever of finish() and give_up() comes.
        self._file = open(self._unfinished, "wb") if self._path else None  # noqa: SIM115

    def take(self, piece: bytes) -> None:
        """Take the next piece; raises BodyTooLarge."""
        self.size += len(piece)
        if self.size > self._most:
            raise BodyTooLarge(f"the body is larger than {self._most} bytes")
        if self._sum is not None:
            self._sum.update(piece)
        if self._whole is not None:
            self._whole += piece
        if self._file is not None:
            self._file.write(piece)

    def finish(self) -> dict[str, Any]:
        """Return what the line says of the body, which is whole."""
        said: dict[str, Any] = {}
        if self._sum is not None:
            said["sha256"] = self._sum.hexdigest()
        if self._whole is not None:
            said |= shown(bytes(self._whole), self._kind, self._encoding)
        if self._file is not None and self._path is not None:
            self._file.close()
            os.replace(self._unfinished, self._path)
            said["file"] = self._name
        return said

    def give_up(self) -> None:
        """Leave nothing of a body that is not whole; nothing happens to one that is."""
        if self._file is not None:
            self._file.close()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._unfinished)


def shown(content: bytes, kind: str, encoding: str) -> dict[str, str]:
    """Show a body in JSON: as text where it is text, as base64 where it is not."""
    encodings = ["utf-8"] if b"\0" not in content else []
    if kind.startswith("text/"):
        encodings.append(encoding)
    for name in encodings:
        with contextlib.suppress(UnicodeDecodeError, LookupError):
            return {"body": content.decode(name)}
    return {"body_base64": base64.b64encode(content).decode()}


def file_name(url: str, kind: str = "") -> str:
    """Make a file's name of a URL: readable, harmless in any folder, and its own.

    The same URL has the same name each time, and another URL another one.
    """
    address, _, _ = url.partition("#")
    _, _, place = address.rpartition("://")
    path, _, _ = place.partition("?")
    stem, dot, ending = path.rpartition(".")
    if not (dot and "/" in stem and re.fullmatch("[A-Za-z0-9]{1,8}", ending)):
        stem = path
        guessed = mimetypes.guess_extension(kind.partition(";")[0].strip()) or ""
        ending = guessed.removeprefix(".")
    # Without a password, if there is one before the @.
    readable = re.sub("[^A-Za-z0-9._-]+", "-", stem.rpartition("@")[2]).strip("-.")
    digest = hashlib.blake2b(url.encode(), digest_size=6).hexdigest()
    name = f"{readable[:LONGEST_NAME].lstrip('-.') or 'body'}-{digest}"
    return f"{name}.{ending}" if ending else name
