"""FastAPI, unmodified, with its everyday features, asked by the clients that people use."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from typing import Annotated, Any

import aiohttp
import fastapi
import httpx
import pytest
import websockets
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from served import Served, served

MEGABYTE = 1024 * 1024


class Item(BaseModel):
    name: str
    price: float = 1.0


router = fastapi.APIRouter()


@router.get("/items/{number}")
async def item(number: int, q: str | None = None) -> dict[str, Any]:
    return {"number": number, "q": q}


@router.post("/items", status_code=201)
async def create(item: Item) -> Item:
    return item


@router.post("/form")
async def form(name: Annotated[str, fastapi.Form()]) -> str:
    return name


@router.post("/upload")
async def upload(file: fastapi.UploadFile) -> dict[str, Any]:
    digest = hashlib.sha256()
    while piece := await file.read(MEGABYTE):
        digest.update(piece)
    return {"name": file.filename, "size": file.size, "sha256": digest.hexdigest()}


@router.post("/stream-in")
async def stream_in(request: fastapi.Request) -> int:
    return sum([len(piece) async for piece in request.stream()])


@router.get("/stream")
async def stream(pieces: int = 3) -> StreamingResponse:
    async def numbers() -> AsyncIterator[str]:
        for number in range(pieces):
            yield f"{number}\n"
            await asyncio.sleep(0)

    return StreamingResponse(numbers(), media_type="text/plain")


@router.get("/background")
async def background(request: fastapi.Request, tasks: fastapi.BackgroundTasks) -> str:
    async def work() -> None:
        request.app.state.history.append("worked")
        request.app.state.done.set()

    tasks.add_task(work)
    return "later"


@router.get("/threads")
def in_a_thread() -> str:
    return "from a thread"


@router.get("/state")
async def state(request: fastapi.Request) -> str:
    database: str = request.state.database
    return database


@router.get("/fails")
async def fails() -> None:
    raise LookupError("nothing there")


@router.get("/refuses")
async def refuses() -> None:
    raise fastapi.HTTPException(418, "a teapot", {"X-Pot": "tea"})


@router.websocket("/echo/{room}")
async def echo(socket: fastapi.WebSocket, room: str) -> None:
    await socket.accept()
    with contextlib.suppress(fastapi.WebSocketDisconnect):
        while True:
            await socket.send_text(f"{room}: {await socket.receive_text()}")
    socket.app.state.history.append("left")
    socket.app.state.done.set()


@contextlib.asynccontextmanager
async def lifespan(app: fastapi.FastAPI) -> AsyncIterator[dict[str, Any]]:
    app.state.history = ["started"]
    app.state.done = asyncio.Event()
    yield {"database": "connected"}
    app.state.history.append("stopped")


def application() -> fastapi.FastAPI:
    """A new application; what it does besides answering is on its `state`."""
    app = fastapi.FastAPI(lifespan=lifespan)
    app.include_router(router)

    @app.middleware("http")
    async def mark(request: fastapi.Request, call_next: Any) -> Any:
        response = await call_next(request)
        response.headers["X-Marked"] = request.url.path
        return response

    return app


@contextlib.asynccontextmanager
async def client_of(server: Served) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.address, trust_env=False, timeout=20) as client:
        yield client


async def test_routes_parameters_models_and_errors() -> None:
    async with served(application()) as server, client_of(server) as client:
        answer = await client.get("/items/5", params={"q": "é &"})
        assert answer.json() == {"number": 5, "q": "é &"}
        assert answer.headers["x-marked"] == "/items/5"
        answer = await client.post("/items", json={"name": "hoop"})
        assert (answer.status_code, answer.json()) == (201, {"name": "hoop", "price": 1.0})
        assert (await client.get("/items/five")).status_code == 422
        assert (await client.get("/nowhere")).status_code == 404
        assert (await client.put("/items/5")).status_code == 405
        answer = await client.get("/refuses")
        assert (answer.status_code, answer.json()) == (418, {"detail": "a teapot"})
        assert answer.headers["x-pot"] == "tea"
        assert (await client.get("/threads")).json() == "from a thread"
        assert (await client.get("/docs")).status_code == 200
        assert "/items/{number}" in (await client.get("/openapi.json")).json()["paths"]


async def test_an_exception_is_a_500_with_a_traceback_in_the_log() -> None:
    async with served(application(), faulty=True) as server, client_of(server) as client:
        assert (await client.get("/fails")).status_code == 500
        assert (await client.get("/items/1")).status_code == 200
        await server.log.wait_for("LookupError: nothing there")
    (fault,) = server.log.faults
    assert f'File "{__file__}"' in fault


async def test_forms_and_uploads() -> None:
    data = bytes(range(256)) * (20 * MEGABYTE // 256)
    async with served(application()) as server, client_of(server) as client:
        assert (await client.post("/form", data={"name": "Zoë & co"})).json() == "Zoë & co"
        answer = await client.post("/upload", files={"file": ("naïve.bin", data)})
        assert answer.json() == {
            "name": "naïve.bin",
            "size": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }


async def test_a_body_without_known_length_is_streamed_in() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield bytes(10_000)
            await asyncio.sleep(0)

    async with served(application()) as server, client_of(server) as client:
        assert (await client.post("/stream-in", content=pieces())).json() == 500_000


async def test_streamed_answers() -> None:
    async with served(application()) as server, client_of(server) as client:
        async with client.stream("GET", "/stream", params={"pieces": 500}) as answer:
            assert answer.headers["transfer-encoding"] == "chunked"
            assert [int(line) async for line in answer.aiter_lines()] == list(range(500))


async def test_background_tasks_run_after_the_answer() -> None:
    app = application()
    async with served(app) as server, client_of(server) as client:
        assert (await client.get("/background")).json() == "later"
        await app.state.done.wait()
    assert app.state.history == ["started", "worked", "stopped"]


async def test_lifespan_and_its_state() -> None:
    app = application()
    async with served(app, lifespan="on") as server, client_of(server) as client:
        assert app.state.history == ["started"]
        assert (await client.get("/state")).json() == "connected"
    assert app.state.history == ["started", "stopped"]


async def test_websockets() -> None:
    app = application()
    async with served(app) as server:
        async with websockets.connect(f"{server.websocket_url}/echo/hall") as client:
            for text in ("one", "zwei ü", ""):
                await client.send(text)
                assert await client.recv() == f"hall: {text}"
        await app.state.done.wait()
        with pytest.raises(websockets.InvalidStatus) as refused:
            await websockets.connect(f"{server.websocket_url}/items/5")
        assert refused.value.response.status_code == 403
        async with client_of(server) as http:
            assert (await http.get("/echo/hall")).status_code == 404
    assert app.state.history == ["started", "left", "stopped"]


async def test_aiohttp_as_client_over_http_and_websocket() -> None:
    async with served(application()) as server, aiohttp.ClientSession(server.address) as session:
        answers = await asyncio.gather(*(fetch(session, number) for number in range(100)))
        assert [answer["number"] for answer in answers] == list(range(100))
        async with session.ws_connect("/echo/hall") as socket:
            await socket.send_str("hello")
            assert (await socket.receive()).data == "hall: hello"
        with aiohttp.MultipartWriter("form-data") as parts:
            part = parts.append(b"x" * MEGABYTE)
            part.set_content_disposition("form-data", name="file", filename="x.bin")
        async with session.post("/upload", data=parts) as answer:
            assert (await answer.json())["size"] == MEGABYTE


async def fetch(session: aiohttp.ClientSession, number: int) -> Any:
    async with session.get(f"/items/{number}") as answer:
        assert answer.status == 200
        return await answer.json()


async def test_under_a_root_path_the_documentation_finds_its_way() -> None:
    async with served(application(), root_path="/shop") as server, client_of(server) as client:
        assert (await client.get("/items/5")).json()["number"] == 5
        assert "/shop/openapi.json" in (await client.get("/docs")).text
