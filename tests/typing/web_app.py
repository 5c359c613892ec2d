"""The web framework as a typed program uses it: handlers keep their types."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, assert_type

from hoopsnake.web import (
    App,
    BackgroundTasks,
    Depends,
    File,
    FileResponse,
    Form,
    Header,
    HTTPException,
    JSONResponse,
    Path,
    Query,
    Request,
    Response,
    Router,
    UploadFile,
    WebSocket,
)


@asynccontextmanager
async def lifespan(app: App) -> AsyncIterator[dict[str, int]]:
    yield {"limit": 3}


app = App(lifespan=lifespan, title="shop")
router = Router(prefix="/api", tags=["api"])


def page(number: Annotated[int, Query(ge=1)] = 1) -> int:
    return number


@router.get("/items/{item_id}", status_code=201)
async def item(
    item_id: Annotated[int, Path(ge=1)],
    page: Annotated[int, Depends(page)],
    tasks: BackgroundTasks,
    x_token: Annotated[str | None, Header()] = None,
) -> dict[str, int]:
    tasks.add_task(print, item_id, sep="")
    if x_token is None:
        raise HTTPException(401, headers={"www-authenticate": "Bearer"})
    return {"item": item_id, "page": page}


@router.post("/pictures", form_limits={"max_files": 1})
async def picture(
    request: Request,
    file: Annotated[UploadFile, File()],
    title: Annotated[str, Form(min_length=1)] = "untitled",
) -> FileResponse:
    assert_type(await file.read(10), bytes)
    assert_type(file.size, int | None)
    async with request.form(max_fields=2) as form:
        assert_type(form["title"], UploadFile | str)
    return FileResponse("/tmp/picture", filename=title, content_disposition_type="inline")


@app.exception_handler(LookupError)
async def missing(request: Request, error: LookupError) -> Response:
    return JSONResponse({"missing": str(error)}, 404)


@app.websocket("/chat")
async def chat(socket: WebSocket) -> None:
    await socket.accept()
    async for message in socket:
        assert_type(message, str | bytes)
        await socket.send_json({"said": message})


async def use() -> None:
    # A decorator gives the handler back as it was.
    assert_type(await item(1, 2, BackgroundTasks(), None), dict[str, int])


app.include_router(router)
app.dependency_overrides[page] = lambda: 1
