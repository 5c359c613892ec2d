"""The showcase: one plain FastAPI app with five things that async is for.

Run it from the repository's root with `hoop serve examples.showcase_fastapi.app:app`, or with any
other ASGI server: the app knows nothing of what serves it. `examples/showcase`, whose page it
shows, is the same app on hoopsnake.web.
"""

from __future__ import annotations

import asyncio
import platform
from pathlib import Path

from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse, PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.types import Scope

from . import chat, ticker, transfer, waits

try:  # The one line of ours, and the app runs without it: it lets the page name its engine.
    from hoopsnake import __version__ as hoopsnake_version
except ImportError:
    hoopsnake_version = ""

HERE = Path(__file__).parent
STATIC = HERE.parent / "showcase" / "static"
DEMOS = {module.__name__.rpartition(".")[2]: module for module in (waits, chat, ticker, transfer)}

# The page brings everything along, so the browser may refuse whatever comes from elsewhere.
PAGE_HEADERS = {
    "content-security-policy": "default-src 'self'; connect-src 'self' ws: wss:; base-uri 'none'",
    "cache-control": "no-cache",
}


class FreshStaticFiles(StaticFiles):
    """Static files that the browser checks again each time, so that an update shows at once."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = "no-cache"
        return response


# FastAPI's own documentation pages fetch their scripts from another host, so they stay off.
app = FastAPI(title="hoopsnake showcase", docs_url=None, redoc_url=None)
for demo in DEMOS.values():
    app.include_router(demo.router)
app.mount("/static", FreshStaticFiles(directory=STATIC), name="static")


@app.get("/", include_in_schema=False)
async def page() -> FileResponse:
    """The page itself."""
    return FileResponse(STATIC / "index.html", headers=PAGE_HEADERS)


@app.get("/about")
async def about() -> dict[str, str]:
    """What runs this app: the event loop answers for itself."""
    loop = type(asyncio.get_running_loop())
    engine = loop.__module__.partition(".")[0]
    return {
        "engine": f"hoopsnake {hoopsnake_version}" if engine == "hoopsnake" else engine,
        "loop": f"{loop.__module__}.{loop.__qualname__}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


@app.get("/source/{demo_name}", response_class=PlainTextResponse)
async def source(demo_name: str) -> str:
    """The module behind a demo, as it stands on disk, for the page to show."""
    if demo_name not in DEMOS:
        raise HTTPException(404, f"there is no demo called {demo_name!r}")
    return await asyncio.to_thread((HERE / f"{demo_name}.py").read_text, encoding="utf-8")
