"""Chat and events for all, with hoopsnake.web: a room and a channel."""

from hoopsnake.web import App, EventChannel, Request, Response, Room, WebSocket

app = App()
room = Room("everybody")
channel = EventChannel("everybody")


@app.websocket("/")
async def chat(socket: WebSocket) -> None:
    """Greet, and tell all what one says."""
    await socket.accept()
    async with room.member(socket):
        await socket.send_text("welcome")
        async for message in socket:
            await room.broadcast(message)


@app.get("/events")
async def events(request: Request) -> Response:
    """Stream what is told."""
    return channel.response(request, first="welcome")


@app.post("/events")
async def tell(request: Request) -> Response:
    """Tell all the body."""
    await channel.publish((await request.body()).decode())
    return Response(status_code=204)
