"""Services that answer as OpenAI's, Anthropic's and an OAuth 2 server's interfaces do."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from hoopsnake.web import App, JSONResponse, Request, StreamingResponse

WORDS = ["Tea ", "is ", "good ", "for ", "you."]


def event_stream(events: list[tuple[str | None, Any]]) -> StreamingResponse:
    """Write events as both services do: an object of JSON in each."""

    async def written() -> AsyncIterator[bytes]:
        for name, data in events:
            text = data if isinstance(data, str) else json.dumps(data)
            head = "" if name is None else f"event: {name}\n"
            yield f"{head}data: {text}\n\n".encode()

    return StreamingResponse(written(), media_type="text/event-stream")


def services() -> App:
    """Make the application; what it was asked is in `app.state.asked`."""
    app = App(openapi_url=None)
    app.state.asked = []
    app.post("/v1/chat/completions")(chat)
    app.post("/v1/files")(upload)
    app.post("/v1/messages")(messages)
    app.post("/token")(token)
    app.get("/mine")(mine)
    return app


def asked_of(request: Request) -> list[tuple[str, Any]]:
    """Find what the application was asked."""
    asked: list[tuple[str, Any]] = request.app.state.asked
    return asked


async def chat(request: Request) -> Any:
    """Complete a chat, in events if that is asked for; a model that is busy is so once."""
    body = await request.json()
    asked_of(request).append((request.headers["authorization"], body))
    if body["model"] == "busy" and len(asked_of(request)) == 1:
        error = {"error": {"message": "later", "type": "rate_limit"}}
        return JSONResponse(error, status_code=429, headers={"retry-after-ms": "1"})
    base = {"id": "c1", "created": 1, "model": body["model"]}
    if body.get("stream"):
        pieces: list[tuple[str | None, Any]] = [
            (
                None,
                {
                    **base,
                    "object": "chat.completion.chunk",
                    "choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}],
                },
            )
            for word in WORDS
        ]
        return event_stream([*pieces, (None, "[DONE]")])
    message = {"role": "assistant", "content": "".join(WORDS)}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {**base, "object": "chat.completion", "choices": [choice]}


async def upload(request: Request) -> Any:
    """Take a file."""
    form = await request.form()
    file: Any = form["file"]
    content = await file.read()
    asked_of(request).append((form["purpose"], content))
    return {
        "id": "f1",
        "object": "file",
        "bytes": len(content),
        "created_at": 1,
        "filename": file.filename,
        "purpose": form["purpose"],
        "status": "processed",
    }


async def messages(request: Request) -> Any:
    """Answer as Anthropic's messages do."""
    body = await request.json()
    asked_of(request).append((request.headers["authorization"], body))
    message: dict[str, Any] = {
        "id": "m1",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    if not body.get("stream"):
        text = {"type": "text", "text": "".join(WORDS)}
        return {**message, "content": [text], "stop_reason": "end_turn"}
    kinds: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "text", "text": ""},
        },
        *(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": word},
            }
            for word in WORDS
        ),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 5},
        },
        {"type": "message_stop"},
    ]
    return event_stream([(kind["type"], kind) for kind in kinds])


async def token(request: Request) -> Any:
    """Give a token for a client's own login."""
    form = await request.form()
    asked_of(request).append((request.headers["authorization"], dict(form.items())))
    return {"access_token": "t1", "token_type": "Bearer", "expires_in": 3600}


async def mine(request: Request) -> Any:
    """Tell who asks."""
    return {"authorization": request.headers["authorization"]}
