"""The showcase: one application on hoopsnake.web with six things that async is for.

Run it from the repository's root with `hoop serve examples.showcase.app:app`, or with any other
ASGI server: the app knows nothing of what serves it. `examples/showcase_fastapi` is the same app
on FastAPI.
"""

from __future__ import annotations

import asyncio
import platform
from pathlib import Path

from hoopsnake import __version__
from hoopsnake.web import App, FileResponse, HTTPException, PlainTextResponse, StaticFiles

from . import chat, suppliers, ticker, transfer, waits

HERE = Path(__file__).parent
STATIC = HERE / "static"
MODULES = (waits, chat, ticker, transfer, suppliers)
DEMOS = {module.__name__.rpartition(".")[2]: module for module in MODULES}

# The page brings everything along, so the browser may refuse whatever comes from elsewhere.
PAGE_HEADERS = {
    "content-security-policy": "default-src 'self'; connect-src 'self' ws: wss:; base-uri 'none'",
    "cache-control": "no-cache",
}


app = App(title="hoopsnake showcase", lifespan=suppliers.lifespan)
for demo in DEMOS.values():
    app.include_router(demo.router)
# The browser checks them again each time, so that an update shows at once.
app.mount("/static", StaticFiles(STATIC, headers={"cache-control": "no-cache"}), name="static")


@app.get("/", include_in_schema=False)
async def page() -> FileResponse:
    """The page itself."""
    return FileResponse(STATIC / "index.html", headers=PAGE_HEADERS)


@app.get("/about")
async def about() -> dict[str, str]:
    """What runs this app: the event loop answers for itself."""
    loop = type(asyncio.get_running_loop())
    engine = loop.__module__.partition(".")[0]
    # The client that asks the suppliers works on hoopsnake's loop alone.
    client = {"client": "hoopsnake.Client"} if engine == "hoopsnake" else {}
    return client | {
        "engine": f"hoopsnake {__version__}" if engine == "hoopsnake" else engine,
        "loop": f"{loop.__module__}.{loop.__qualname__}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


@app.get("/source/{demo_name}", response_class=PlainTextResponse)
async def source(demo_name: str) -> str:
    """The module behind a demo, as it stands on disk, for the page to show."""
    if demo_name not in DEMOS:
        raise HTTPException(404, f"there is no demo called {demo_name!r}")
    return await asyncio.to_thread((HERE / f"{demo_name}.py").read_text, encoding="utf-8")
