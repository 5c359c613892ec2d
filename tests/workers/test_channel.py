"""What a supervisor and a worker tell each other, over a real pair of sockets."""

from __future__ import annotations

import asyncio
import socket

import pytest

from hoopsnake._workers.channel import Channel
from hoopsnake._workers.messages import (
    Answer,
    Failed,
    Heartbeat,
    Message,
    Question,
    Ready,
    Started,
    Stop,
    Stopping,
    decode,
    encode,
)
from hoopsnake._workers.worker import _failed

EVERY_KIND: tuple[Message, ...] = (
    Started(),
    Ready(),
    Heartbeat(1, 2, 3, 4),
    Stopping(),
    Failed("a line\nand another, with an ü", 2),
    Stop(at_once=True, linger=0.5),
    Question(7, "metrics"),
    Answer(7, {"requests": [1, 2.5, None, "x"]}),
)


async def pair() -> tuple[Channel, Channel]:
    first, second = socket.socketpair()
    return await Channel.over(first), await Channel.over(second)


@pytest.mark.parametrize("message", EVERY_KIND)
def test_a_message_is_one_line_and_reads_as_it_was_written(message: Message) -> None:
    line = encode(message)
    assert line.count(b"\n") == 1
    assert decode(line) == message


@pytest.mark.parametrize(
    "line",
    [b"", b"[]", b"{}", b"no JSON", b'{"kind": "other"}', b'{"kind": "stop", "fast": 1}', b"\xff"],
)
def test_what_is_no_message_is_said_to_be_none(line: bytes) -> None:
    with pytest.raises(ValueError):
        decode(line)


async def test_messages_arrive_in_order_until_the_other_end_closes() -> None:
    ours, theirs = await pair()
    for message in EVERY_KIND:
        ours.send(message)
    ours.close()
    assert [each async for each in theirs.messages()] == list(EVERY_KIND)
    theirs.close()


async def test_a_long_answer_arrives_whole() -> None:
    ours, theirs = await pair()
    answer = Answer(1, "x" * 5_000_000)
    ours.send(answer)
    received = theirs.messages()
    assert await anext(received) == answer
    ours.close()
    assert [each async for each in received] == []
    theirs.close()


async def test_signs_of_life_do_not_pile_up_where_nobody_reads() -> None:
    ours, theirs = await pair()
    ours.send(Answer(1, "x" * 5_000_000))
    for number in range(10_000):
        ours.send(Heartbeat(number, 0, 0, 0))
    ours.send(Stopping())
    ours.close()
    kinds = [type(each) async for each in theirs.messages()]
    assert kinds == [Answer, Stopping]
    theirs.close()


async def test_nothing_is_sent_to_who_has_closed() -> None:
    ours, theirs = await pair()
    theirs.close()
    assert [each async for each in ours.messages()] == []
    ours.close()
    ours.send(Stop())
    await asyncio.sleep(0)


@pytest.mark.parametrize("text", ["short", "x" * 100_000, "\u00fc" * 50_000, "\U0001f600" * 50_000])
def test_last_words_are_the_end_of_them_if_they_are_long(text: str) -> None:
    line = _failed(f"{text} in the end", 3)
    assert len(line) <= 60_000
    said = decode(line)
    assert isinstance(said, Failed)
    assert said.status == 3
    assert said.text.endswith(f"{text[-1000:]} in the end")
