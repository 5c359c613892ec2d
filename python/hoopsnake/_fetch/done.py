"""What a run before has done: the URLs in its output, in a table on disk and not in memory."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import BinaryIO

__all__ = ["Done"]

# The same request may well be answered otherwise the next time.
WORTH_ANOTHER = {408, 425, 429}


class Done:
    """URLs that have an answer. However many they are, memory is bounded."""

    def __init__(self) -> None:
        # A database without a name is a temporary file, which SQLite makes once it needs it.
        self._table = sqlite3.connect("")
        self._table.execute("pragma journal_mode = off")
        self._table.execute("create table done (url blob primary key) without rowid")
        self.count = 0

    def read(self, file: BinaryIO) -> int:
        """Read a run's output; return where its last whole line ends.

        A last line that was half written is none, and neither is what is no line of ours.
        """
        end = 0

        def urls() -> Iterator[tuple[bytes]]:
            nonlocal end
            for line in file:
                if not line.endswith(b"\n"):
                    return
                end += len(line)
                if (url := answered(line)) is not None:
                    yield (key_of(url),)

        self._table.executemany("insert or ignore into done values (?)", urls())
        self.count = self._table.execute("select count(*) from done").fetchone()[0]
        return end

    def __contains__(self, url: str) -> bool:
        found = self._table.execute("select 1 from done where url = ?", (key_of(url),))
        return found.fetchone() is not None

    def close(self) -> None:
        """Remove the table."""
        self._table.close()


def key_of(url: str) -> bytes:
    """Write a URL for the table: whatever JSON and a command line can hold, surrogates too."""
    return url.encode("utf-8", "surrogatepass")


def answered(line: bytes) -> str | None:
    """Return the URL of a line that has an answer which is worth keeping."""
    try:
        record = json.loads(line)
        url, status, error = record["url"], record["status"], record["error"]
    except (ValueError, KeyError, TypeError):
        return None
    if not isinstance(url, str) or not isinstance(status, int) or error is not None:
        return None
    return None if status in WORTH_ANOTHER or status >= 500 else url
