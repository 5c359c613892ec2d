"""asyncpg against a real PostgreSQL: its own protocol on our transports, over TCP, TLS and Unix."""

from __future__ import annotations

import asyncio
import datetime
import io
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from database_servers import USER, Server

asyncpg = pytest.importorskip("asyncpg")

LARGE = 3_000_000


@asynccontextmanager
async def connected(server: Server, **options: Any) -> AsyncIterator[Any]:
    """A connection, which is closed in an orderly way or not at all."""
    settings = {"host": "127.0.0.1", "port": server.port, "ssl": False, **options}
    connection = await asyncpg.connect(user=USER, database="postgres", **settings)
    try:
        yield connection
    finally:
        await connection.close()


async def is_usable(connection: Any) -> bool:
    return await connection.fetchval("SELECT 6 * $1::int", 7) == 42


async def test_values_of_many_types_come_back(postgresql: Server) -> None:
    moment = datetime.datetime(2026, 11, 21, 12, 30, tzinfo=datetime.UTC)
    async with connected(postgresql) as connection:
        row = await connection.fetchrow(
            "SELECT $1::int AS number, $2::text AS text, $3::bytea AS bytes, $4::timestamptz, "
            "$5::int[], NULL AS nothing",
            *(2**31 - 1, "grüße", b"\x00\xff", moment, [1, None, 3]),
        )
        assert tuple(row) == (2**31 - 1, "grüße", b"\x00\xff", moment, [1, None, 3], None)
        assert (row["number"], row["nothing"]) == (2**31 - 1, None)


async def test_megabytes_go_and_come(postgresql: Server) -> None:
    payload = bytes(range(256)) * (LARGE // 256)
    async with connected(postgresql) as connection:
        assert await connection.fetchval("SELECT $1::bytea", payload) == payload
        rows = await connection.fetch("SELECT n, repeat('x', 100) FROM generate_series(1, 20000) n")
        assert [row[0] for row in rows] == list(range(1, 20001))


async def test_transactions_commit_roll_back_and_nest(postgresql: Server) -> None:
    async with connected(postgresql) as connection:
        await connection.execute("CREATE TEMPORARY TABLE items (number int UNIQUE)")
        async with connection.transaction():
            await connection.execute("INSERT INTO items VALUES (1)")
            with pytest.raises(asyncpg.UniqueViolationError):
                async with connection.transaction():
                    await connection.execute("INSERT INTO items VALUES (2)")
                    await connection.execute("INSERT INTO items VALUES (1)")
            await connection.execute("INSERT INTO items VALUES (3)")
        with pytest.raises(LookupError):
            async with connection.transaction():
                await connection.execute("DELETE FROM items")
                raise LookupError
        numbers = await connection.fetch("SELECT number FROM items ORDER BY number")
        assert [row["number"] for row in numbers] == [1, 3]


async def test_an_error_of_the_server_leaves_the_connection_usable(postgresql: Server) -> None:
    async with connected(postgresql) as connection:
        with pytest.raises(asyncpg.DivisionByZeroError):
            await connection.fetch("SELECT 1 / 0")
        with pytest.raises(asyncpg.PostgresSyntaxError):
            await connection.execute("NONSENSE")
        assert await is_usable(connection)


async def test_a_query_that_is_cancelled_is_cancelled_in_the_server_too(
    postgresql: Server,
) -> None:
    async with connected(postgresql) as connection, connected(postgresql) as watcher:
        for _ in range(5):
            query = asyncio.create_task(connection.execute("SELECT pg_sleep(600)"))
            await sleeping(watcher, 1)
            query.cancel()
            with pytest.raises(asyncio.CancelledError):
                await query
            assert await is_usable(connection)
            await sleeping(watcher, 0)


async def sleeping(watcher: Any, count: int) -> None:
    """Wait until this many queries are asleep: the server ignores a cancellation before that."""
    question = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    while await watcher.fetchval(question) != count:
        await asyncio.sleep(0)


async def test_a_timeout_cancels_the_query_and_the_connection_goes_on(postgresql: Server) -> None:
    async with connected(postgresql) as connection:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await connection.execute("SELECT pg_sleep(5)", timeout=0.1)
            assert await is_usable(connection)


async def test_a_cursor_fetches_as_it_goes(postgresql: Server) -> None:
    async with connected(postgresql) as connection, connection.transaction():
        query = "SELECT n FROM generate_series(1, 1000) n"
        numbers = [row["n"] async for row in connection.cursor(query, prefetch=37)]
    assert numbers == list(range(1, 1001))


async def test_copy_in_and_out(postgresql: Server) -> None:
    records = [(number, f"name {number}") for number in range(20_000)]

    async def lines() -> AsyncIterator[bytes]:
        for number, name in records[:5000]:
            yield f"{number + 100_000}\t{name}\n".encode()

    async with connected(postgresql) as connection:
        await connection.execute("CREATE TEMPORARY TABLE people (number int, name text)")
        done = await connection.copy_records_to_table("people", records=records)
        assert done == "COPY 20000"
        assert await connection.copy_to_table("people", source=lines()) == "COPY 5000"
        output = io.BytesIO()
        await connection.copy_from_query(
            "SELECT * FROM people ORDER BY number", output=output, format="csv"
        )
    text = output.getvalue().decode().splitlines()
    assert (len(text), text[0], text[-1]) == (25_000, "0,name 0", "104999,name 4999")


async def test_a_copy_whose_source_fails_leaves_the_connection_usable(postgresql: Server) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"1\n"
        raise LookupError("the source")

    async with connected(postgresql) as connection:
        await connection.execute("CREATE TEMPORARY TABLE numbers (number int)")
        with pytest.raises(LookupError, match="the source"):
            await connection.copy_to_table("numbers", source=broken())
        assert await connection.fetchval("SELECT count(*) FROM numbers") == 0


async def test_notifications_arrive_while_nothing_is_asked(postgresql: Server) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()

    def listener(_: object, process: int, channel: str, payload: str) -> None:
        heard.put_nowait(f"{channel}: {payload}")

    async with connected(postgresql) as listening, connected(postgresql) as speaking:
        await listening.add_listener("news", listener)
        for number in range(100):
            await speaking.execute("SELECT pg_notify('news', $1)", str(number))
        assert [await heard.get() for _ in range(100)] == [f"news: {n}" for n in range(100)]
        await listening.remove_listener("news", listener)


async def test_a_pool_serves_more_tasks_than_it_has_connections(postgresql: Server) -> None:
    settings = {"host": "127.0.0.1", "port": postgresql.port, "ssl": False}
    processes = set()
    async with asyncpg.create_pool(
        user=USER, database="postgres", min_size=2, max_size=4, **settings
    ) as pool:

        async def ask(number: int) -> int:
            async with pool.acquire() as connection:
                processes.add(connection.get_server_pid())
                return await connection.fetchval("SELECT $1::int + 1", number)

        answers = await asyncio.gather(*(ask(number) for number in range(200)))
        assert answers == list(range(1, 201))
        # Tasks that are cancelled give their connections back.
        queries = [asyncio.create_task(pool.execute("SELECT pg_sleep(600)")) for _ in range(3)]
        await sleeping(pool, 3)
        for query in queries:
            query.cancel()
        await asyncio.wait(queries)
        assert all(query.cancelled() for query in queries)
        assert await asyncio.gather(*(ask(number) for number in range(50))) == list(range(1, 51))
    assert 1 <= len(processes) <= 4


async def test_a_connection_that_the_server_ends_is_an_error_at_once(postgresql: Server) -> None:
    async with connected(postgresql) as connection, connected(postgresql) as other:
        waiting = asyncio.create_task(connection.execute("SELECT pg_sleep(600)"))
        server_process = connection.get_server_pid()
        await sleeping(other, 1)
        await other.execute("SELECT pg_terminate_backend($1)", server_process)
        with pytest.raises(asyncpg.ConnectionDoesNotExistError, match="administrator command"):
            await waiting
        assert connection.is_closed()


async def test_the_connection_is_upgraded_to_tls(
    postgresql: Server, client_tls: ssl.SSLContext
) -> None:
    payload = b"x" * LARGE
    async with connected(postgresql, host="localhost", ssl=client_tls) as connection:
        question = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        assert await connection.fetchval(question) is True
        assert await connection.fetchval("SELECT $1::bytea", payload) == payload
        with pytest.raises(TimeoutError):
            await connection.execute("SELECT pg_sleep(5)", timeout=0.1)
        assert await is_usable(connection)


async def test_a_unix_socket(postgresql: Server) -> None:
    async with connected(postgresql, host=str(postgresql.folder)) as connection:
        assert await connection.fetchval("SELECT inet_client_addr()") is None
        assert await is_usable(connection)
