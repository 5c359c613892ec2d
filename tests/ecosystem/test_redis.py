"""redis-py's asyncio client against a real Redis: streams, and a pool of connections above."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from database_servers import Server

pytest.importorskip("redis")
import redis.asyncio
import redis.exceptions
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

LARGE = 3_000_000
# By default a command is tried again, for seconds.
ONCE = Retry(NoBackoff(), 0)


@asynccontextmanager
async def connected(server: Server, **options: Any) -> AsyncIterator[redis.asyncio.Redis]:
    """A client of an empty Redis."""
    settings: dict[str, Any] = {"host": "127.0.0.1", "port": server.port, **options}
    async with redis.asyncio.Redis(**settings) as client:
        await client.flushall()
        yield client


async def blocked(client: redis.asyncio.Redis, count: int) -> None:
    """Wait until Redis has this many clients in blocking commands."""
    while (await client.info("clients"))["blocked_clients"] != count:
        await asyncio.sleep(0)


async def test_values_large_and_small_come_back(redis_server: Server) -> None:
    payload = os.urandom(LARGE)
    async with connected(redis_server) as client:
        await client.set("large", payload)
        assert await client.get("large") == payload
        await client.hset("hash", mapping={"a": "1", "b": b"\x00\xff"})
        assert await client.hgetall("hash") == {b"a": b"1", b"b": b"\x00\xff"}
        assert await client.get("nothing") is None
        with pytest.raises(redis.exceptions.ResponseError, match="WRONGTYPE"):
            await client.incr("hash")
        assert await client.ping()


async def test_hundreds_of_tasks_share_a_pool(redis_server: Server) -> None:
    pool = redis.asyncio.BlockingConnectionPool(
        host="127.0.0.1", port=redis_server.port, max_connections=8
    )
    async with redis.asyncio.Redis(connection_pool=pool) as client:
        await client.flushall()
        counts = await asyncio.gather(*(client.incr("counter") for _ in range(500)))
        assert sorted(counts) == list(range(1, 501))
    await pool.disconnect()


async def test_a_pipeline_is_one_transaction(redis_server: Server) -> None:
    async with connected(redis_server) as client:
        async with client.pipeline(transaction=True) as pipeline:
            for number in range(1000):
                pipeline.rpush("list", number)
            pipeline.llen("list")
            assert (await pipeline.execute())[-1] == 1000
        async with client.pipeline() as pipeline:
            await pipeline.watch("list")
            await client.rpush("list", "by somebody else")
            pipeline.multi()
            pipeline.delete("list")
            with pytest.raises(redis.exceptions.WatchError):
                await pipeline.execute()
        assert await client.llen("list") == 1001


async def test_messages_are_published_to_subscribers(redis_server: Server) -> None:
    async with connected(redis_server) as client, client.pubsub() as news, client.pubsub() as all_:
        await news.subscribe("news")
        await all_.psubscribe("n*")
        for subscriber, kind in ((news, "subscribe"), (all_, "psubscribe")):
            message = await subscriber.get_message(timeout=10)
            assert message is not None
            assert message["type"] == kind
        # Waiting in vain takes nothing away from what comes later.
        assert await news.get_message(timeout=0.01) is None
        for number in range(100):
            assert await client.publish("news", number) == 2
        for subscriber in (news, all_):
            heard = []
            async for message in subscriber.listen():
                heard.append(int(message["data"]))
                if len(heard) == 100:
                    break
            assert heard == list(range(100))
        await news.unsubscribe("news")
        await all_.punsubscribe("n*")


async def test_a_blocking_pop_gets_what_is_pushed(redis_server: Server) -> None:
    async with connected(redis_server) as client, client.client() as popping:
        pop = asyncio.create_task(popping.blpop(["queue"], timeout=0))
        await blocked(client, 1)
        await client.rpush("queue", "item")
        assert await pop == (b"queue", b"item")
        assert await client.blpop(["queue"], timeout=0.01) is None


async def test_a_cancelled_pop_leaves_the_client_usable_and_takes_nothing(
    redis_server: Server,
) -> None:
    async with connected(redis_server) as client:
        for number in range(10):
            pop = asyncio.create_task(client.blpop(["queue"], timeout=0))
            await blocked(client, 1)
            pop.cancel()
            with pytest.raises(asyncio.CancelledError):
                await pop
            await blocked(client, 0)
            await client.rpush("queue", number)
            assert await client.lpop("queue") == b"%d" % number


async def test_a_timeout_of_the_socket_is_an_error_and_the_client_goes_on(
    redis_server: Server,
) -> None:
    async with connected(redis_server, socket_timeout=1, retry=ONCE) as client:
        with pytest.raises(redis.exceptions.TimeoutError):
            await client.blpop(["queue"], timeout=60)
        await client.set("key", "value")
        assert await client.get("key") == b"value"


async def test_a_connection_that_redis_ends_is_made_again(redis_server: Server) -> None:
    async with connected(redis_server) as client, connected(redis_server) as other:
        identity = await client.client_id()
        await other.client_kill_filter(_id=str(identity))
        await client.set("key", "value")
        assert await client.get("key") == b"value"
        assert await client.client_id() != identity


async def test_a_server_that_is_not_there_is_a_connection_error(socket_path: str) -> None:
    async with redis.asyncio.Redis(unix_socket_path=socket_path, retry=ONCE) as client:
        with pytest.raises(redis.exceptions.ConnectionError):
            await client.ping()


async def test_a_unix_socket_and_a_stream_that_is_waited_for(redis_server: Server) -> None:
    path = str(redis_server.folder / "redis.sock")
    async with connected(redis_server, unix_socket_path=path) as client, client.client() as reader:
        read = asyncio.create_task(reader.xread({"events": "$"}, block=0))
        await blocked(client, 1)
        identity = await client.xadd("events", {"kind": "greeting"})
        found: Any = await read
        assert (b"events", identity, {b"kind": b"greeting"}) == entry(found)


def entry(found: Any) -> tuple[bytes, bytes, dict[bytes, bytes]]:
    """The one entry of a read of one stream, in the shape of either version of the protocol."""
    ((stream, entries),) = found.items() if isinstance(found, dict) else found
    while isinstance(entries[0], list):
        (entries,) = entries
    ((identity, fields),) = entries
    return stream, identity, fields
