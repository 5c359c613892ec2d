"""The application that every server has to serve with the same answers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field

from hoopsnake.web import (
    App,
    BackgroundTasks,
    Cookie,
    Depends,
    EventSourceResponse,
    Header,
    HTTPException,
    PlainTextResponse,
    Query,
    RedirectResponse,
    Request,
    Response,
    Router,
    StreamingResponse,
    WebSocket,
)


@asynccontextmanager
async def lifespan(app: App) -> AsyncIterator[dict[str, Any]]:
    yield {"opened": "at startup", "worked": asyncio.Event()}
    Path(os.environ["PORTABLE_END"]).write_text("closed")


app = App(lifespan=lifespan, title="portable")


class Item(BaseModel):
    """A body."""

    name: str = Field(min_length=2)
    price: float = Field(gt=0)


@app.get("/items/{n}")
async def item(n: int, q: Annotated[str, Query(max_length=5)] = "none") -> dict[str, Any]:
    return {"n": n, "q": q}


@app.post("/items", status_code=201)
async def create(item: Item) -> Item:
    return item


@app.put("/raw/{rest:path}")
async def raw(request: Request, rest: str) -> dict[str, Any]:
    return {"rest": rest, "length": len(await request.body()), "path": request.scope["path"]}


@app.get("/fields")
async def fields(
    response: Response,
    x_own: Annotated[list[str] | None, Header()] = None,
    taste: Annotated[str | None, Cookie()] = None,
) -> list[Any]:
    response.headers["x-answer"] = "yes"
    response.set_cookie("seen", "1")
    return [x_own, taste]


def in_a_thread(number: int = 3) -> int:
    return number * 2


@app.get("/plain-function")
def plain_function(doubled: Annotated[int, Depends(in_a_thread)]) -> int:
    return doubled


@app.get("/refused")
async def refused() -> None:
    raise HTTPException(418, {"why": "tea"}, {"x-why": "tea"})


@app.get("/fails")
async def fails() -> None:
    raise ZeroDivisionError


@app.get("/leads")
async def leads() -> Response:
    return RedirectResponse("/items/1?q=led", 303)


@app.delete("/empty", status_code=204)
async def empty() -> None:
    return


@app.get("/pieces")
async def pieces() -> StreamingResponse:
    async def each() -> AsyncIterator[bytes]:
        for number in range(100):
            yield b"%d," % number

    return StreamingResponse(each(), media_type="text/plain")


@app.get("/events")
async def events() -> EventSourceResponse:
    async def each() -> AsyncIterator[dict[str, int]]:
        yield {"n": 1}
        yield {"n": 2}

    return EventSourceResponse(each())


@app.get("/works-on")
async def works_on(request: Request, tasks: BackgroundTasks) -> str:
    async def work(event: asyncio.Event) -> None:
        event.set()

    tasks.add_task(work, request.state.worked)
    return request.state.opened


@app.get("/worked")
async def worked(request: Request) -> str:
    await asyncio.wait_for(request.state.worked.wait(), 10)
    return "yes"


@app.websocket("/mirror/{name}")
async def mirror(websocket: WebSocket, name: str, times: int = 1) -> None:
    await websocket.accept("second" if "second" in websocket.scope["subprotocols"] else None)
    async for message in websocket:
        for _ in range(times):
            if isinstance(message, bytes):
                await websocket.send_bytes(message)
            else:
                await websocket.send_text(f"{name}: {message}")
        if message == "close":
            await websocket.close(4000, "as you like")
            return


@app.websocket("/closed")
async def closed(websocket: WebSocket) -> None:
    await websocket.close()


@app.middleware("http")
async def stamp(request: Request, call_next: Any) -> Response:
    response: Response = await call_next(request)
    response.headers["x-stamp"] = request.method
    return response


admin = Router(prefix="/admin")


@admin.get("/")
async def home() -> Response:
    return PlainTextResponse("admin")


async def mounted(scope: Any, receive: Any, send: Any) -> None:
    path = scope["path"].removeprefix(scope["root_path"])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": path.encode()})


app.include_router(admin)
app.mount("/mounted", mounted)
