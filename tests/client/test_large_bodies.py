"""Bodies whose length is told, around the sizes at which memory is taken in another way."""

from __future__ import annotations

import hashlib
import random

import pytest
from scripted_server import answering, response, scripted

import hoopsnake

HUGE_PAGE = 2 << 20
BORDERS = [edge + more for edge in (HUGE_PAGE, 2 * HUGE_PAGE, 3 * HUGE_PAGE) for more in (-1, 0, 1)]


@pytest.mark.parametrize("length", [*BORDERS, 10_000_000])
async def test_a_large_body_is_what_was_sent(length: int) -> None:
    body = random.Random(length).randbytes(length)
    async with scripted(answering(response(body))) as server, hoopsnake.Client() as client:
        # Several at once, so that their memory lies side by side.
        got = await hoopsnake.gather(*[client.get(server.url) for _ in range(3)])
    wanted = hashlib.sha256(body).digest()
    assert [len(each.content) for each in got] == [length] * 3
    assert [hashlib.sha256(each.content).digest() for each in got] == [wanted] * 3
