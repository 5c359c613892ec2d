"""Chat and events for all, with FastAPI, as its users write them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse

app = FastAPI()
sockets: list[WebSocket] = []
queues: set[asyncio.Queue[str]] = set()


@app.websocket("/")
async def chat(socket: WebSocket) -> None:
    """Greet, and tell all what one says."""
    await socket.accept()
    sockets.append(socket)
    await socket.send_text("welcome")
    try:
        while True:
            message = await socket.receive_text()
            for each in tuple(sockets):
                # One that has gone meanwhile is found out by sending to it.
                with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                    await each.send_text(message)
    except WebSocketDisconnect:
        sockets.remove(socket)


@app.get("/events")
async def events() -> StreamingResponse:
    """Stream what is told."""
    queue: asyncio.Queue[str] = asyncio.Queue()

    async def stream() -> AsyncIterator[str]:
        queues.add(queue)
        try:
            yield "data: welcome\n\n"
            while True:
                yield f"data: {await queue.get()}\n\n"
        finally:
            queues.discard(queue)

    return StreamingResponse(stream(), media_type="text/event-stream")


@app.post("/events")
async def tell(request: Request) -> Response:
    """Tell all the body."""
    text = (await request.body()).decode()
    for queue in queues:
        queue.put_nowait(text)
    return Response(status_code=204)
