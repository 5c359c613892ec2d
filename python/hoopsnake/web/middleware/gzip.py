"""Compression with gzip alone, by the name that Starlette's users know."""

from __future__ import annotations

from hoopsnake.web.middleware._asgi import Application
from hoopsnake.web.middleware.compression import CompressionMiddleware

__all__ = ["GZipMiddleware"]


class GZipMiddleware(CompressionMiddleware):
    """Compresses answers of `minimum_size` bytes or more with gzip, at `compresslevel` (0 to 9)."""

    def __init__(self, app: Application, minimum_size: int = 500, compresslevel: int = 6) -> None:
        super().__init__(
            app, minimum_size=minimum_size, encodings=("gzip",), levels={"gzip": compresslevel}
        )
