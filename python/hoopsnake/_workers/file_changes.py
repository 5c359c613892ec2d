"""What `--reload` looks at: the files below some folders, and which of them have changed.

By polling: it works on every file system, network folders and those of containers among them, where
the kernel tells of no changes (docs/adr/0024).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch

__all__ = ["FileChanges"]

Snapshot = dict[str, tuple[int, int, int]]

# Folders that hold no source of the application's, and may hold very much of others'.
_NEVER = ("__pycache__", "node_modules", "site-packages")


class FileChanges:
    """Compares files with what they were: by time of change, size and inode."""

    def __init__(
        self, folders: Sequence[str], include: Sequence[str], exclude: Sequence[str]
    ) -> None:
        self._folders = [os.path.abspath(folder) for folder in folders]
        self._include = include
        self._exclude = exclude
        self._seen = self._snapshot()

    def look(self) -> list[str]:
        """Return the paths of files that were changed, added or removed since the last look."""
        before, self._seen = self._seen, self._snapshot()
        now = self._seen
        return sorted(
            path for path in before.keys() | now.keys() if before.get(path) != now.get(path)
        )

    def _snapshot(self) -> Snapshot:
        found: Snapshot = {}
        for folder in self._folders:
            for entry in self._files(folder, folder):
                try:
                    status = entry.stat()
                except OSError:
                    # It has just gone: whoever writes a file anew may do so.
                    continue
                found[entry.path] = (status.st_mtime_ns, status.st_size, status.st_ino)
        return found

    def _files(self, folder: str, root: str) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as scanned:
                entries = list(scanned)
        except OSError:
            return
        # A virtual environment is known by this file (PEP 405).
        if folder != root and any(entry.name == "pyvenv.cfg" for entry in entries):
            return
        for entry in entries:
            if _matches(entry, root, self._exclude):
                continue
            # Links to folders are not followed: they may lead in circles.
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _NEVER and not entry.name.startswith("."):
                    yield from self._files(entry.path, root)
            elif _matches(entry, root, self._include):
                yield entry


def _matches(entry: os.DirEntry[str], root: str, patterns: Sequence[str]) -> bool:
    """Whether a pattern fits the entry's name, its path, or its path from the watched folder on."""
    return any(
        fnmatch(entry.name, pattern)
        or fnmatch(entry.path, pattern)
        or fnmatch(os.path.relpath(entry.path, root), pattern)
        for pattern in patterns
    )
