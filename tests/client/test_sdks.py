"""Packages that build on httpx2 work over our connections: OpenAI's, Anthropic's, Authlib."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from authlib.integrations.httpx_client import AsyncOAuth2Client
from fake_services import WORDS, services
from scripted_server import answering, response, scripted
from served import served

from hoopsnake import HTTPTransport

HELLO: Any = [{"role": "user", "content": "What is good for me?"}]


class Asked:
    """A service that runs, and a client of httpx2 over our transport."""

    def __init__(self, url: str, asked: list[tuple[str, Any]], transport: HTTPTransport) -> None:
        self.url = url
        self.asked = asked
        self.transport = transport
        self.client = httpx2.AsyncClient(transport=transport)

    def openai(self) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(
            api_key="secret", base_url=f"{self.url}/v1", http_client=self.client
        )

    def anthropic(self) -> anthropic.AsyncAnthropic:
        return anthropic.AsyncAnthropic(
            api_key="secret", base_url=self.url, http_client=self.client
        )


@asynccontextmanager
async def service() -> AsyncIterator[Asked]:
    app = services()
    async with served(app) as server:
        url = f"http://127.0.0.1:{server.port}"
        asked = Asked(url, app.state.asked, HTTPTransport())
        async with asked.client:
            yield asked
            # All that was sent came from here.
            assert asked.transport.stats().opened > 0


async def test_openai_completes_a_chat() -> None:
    async with service() as here:
        done = await here.openai().chat.completions.create(model="m", messages=HELLO)
        assert done.choices[0].message.content == "".join(WORDS)
        ((authorization, body),) = here.asked
        assert authorization == "Bearer secret"
        assert body["messages"] == HELLO


async def test_openai_streams_a_chat() -> None:
    async with service() as here:
        stream = await here.openai().chat.completions.create(model="m", messages=HELLO, stream=True)
        words = [chunk.choices[0].delta.content async for chunk in stream]
        assert words == WORDS
        # The stream was read to its end, so its connection serves again.
        stream = await here.openai().chat.completions.create(model="m", messages=HELLO, stream=True)
        async for _ in stream:
            break
        await stream.close()
        assert here.transport.stats().opened == 1


async def test_openai_tries_again_when_it_is_told_to() -> None:
    async with service() as here:
        done = await here.openai().chat.completions.create(model="busy", messages=HELLO)
        assert done.choices[0].message.content == "".join(WORDS)
        assert len(here.asked) == 2


async def test_openai_uploads_a_file() -> None:
    content = b'{"line": 1}\n' * 20_000
    async with service() as here:
        file = await here.openai().files.create(file=("lines.jsonl", content), purpose="fine-tune")
        assert (file.bytes, file.filename) == (len(content), "lines.jsonl")
        assert here.asked == [("fine-tune", content)]


async def test_openai_tells_errors_of_the_network() -> None:
    async with scripted(answering(response())) as server:
        url = server.url
    async with httpx2.AsyncClient(transport=HTTPTransport()) as client:
        asking = openai.AsyncOpenAI(
            api_key="secret", base_url=url, http_client=client, max_retries=0
        )
        with pytest.raises(openai.APIConnectionError) as caught:
            await asking.models.list()
        assert isinstance(caught.value.__cause__, httpx2.ConnectError)


async def test_anthropic_answers_and_streams() -> None:
    async with service() as here:
        client = here.anthropic()
        message = await client.messages.create(model="m", max_tokens=9, messages=HELLO)
        (block,) = message.content
        assert block.type == "text"
        assert block.text == "".join(WORDS)
        async with client.messages.stream(model="m", max_tokens=9, messages=HELLO) as stream:
            assert [text async for text in stream.text_stream] == WORDS
            final = await stream.get_final_message()
        assert final.stop_reason == "end_turn"
        assert [key for key, _ in here.asked] == ["Bearer secret"] * 2


async def test_authlib_gets_a_token_and_uses_it() -> None:
    async with service() as here:
        async with AsyncOAuth2Client(
            "shop", "word", transport=HTTPTransport(), token_endpoint=f"{here.url}/token"
        ) as client:
            token = await client.fetch_token(f"{here.url}/token", grant_type="client_credentials")
            assert token["access_token"] == "t1"
            mine = await client.get(f"{here.url}/mine")
            assert mine.json() == {"authorization": "Bearer t1"}
        await here.client.get(f"{here.url}/mine", headers={"authorization": "none"})
        assert here.asked == [("Basic c2hvcDp3b3Jk", {"grant_type": "client_credentials"})]
