"""Where a path goes on behind the root path that an application is mounted below."""

from __future__ import annotations

from urllib.parse import quote

__all__ = ["below_root"]


def below_root(path: str, root: str) -> str | None:
    """Return what follows the root path in a percent-encoded path; None where that is not below it.

    "/apiary" is not below "/api". The root path may be encoded in the path, or stand as it is.
    """
    for prefix in (root, quote(root)):
        rest = path[len(prefix) :]
        if prefix and path.startswith(prefix) and rest[:1] in ("", "/"):
            return rest
    return None
