"""psycopg against a real PostgreSQL: libpq's own socket, watched by add_reader and add_writer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from database_servers import USER, Server

psycopg = pytest.importorskip("psycopg")
psycopg_pool = pytest.importorskip("psycopg_pool")

LARGE = 3_000_000


def address(server: Server, **options: object) -> str:
    settings = {"host": "127.0.0.1", "port": server.port, "user": USER, "dbname": "postgres"}
    return psycopg.conninfo.make_conninfo(**{**settings, **options})


@asynccontextmanager
async def connected(server: Server, **options: object) -> AsyncIterator[Any]:
    connection = await psycopg.AsyncConnection.connect(address(server, **options), autocommit=True)
    async with connection:
        yield connection


async def value(connection: Any, query: str, *arguments: object) -> Any:
    cursor = await connection.execute(query, arguments)
    return (await cursor.fetchone())[0]


async def is_usable(connection: Any) -> bool:
    return await value(connection, "SELECT 6 * %s::int", 7) == 42


async def test_values_and_megabytes_come_back(postgresql: Server) -> None:
    payload = bytes(range(256)) * (LARGE // 256)
    async with connected(postgresql) as connection:
        cursor = await connection.execute(
            "SELECT %s::int, %s::text, %s::bytea, NULL", (42, "grüße", payload)
        )
        assert await cursor.fetchall() == [(42, "grüße", payload, None)]


async def test_transactions_commit_roll_back_and_nest(postgresql: Server) -> None:
    async with connected(postgresql) as connection:
        await connection.execute("CREATE TEMPORARY TABLE items (number int UNIQUE)")
        async with connection.transaction():
            await connection.execute("INSERT INTO items VALUES (1)")
            with pytest.raises(psycopg.errors.UniqueViolation):
                async with connection.transaction():
                    await connection.execute("INSERT INTO items VALUES (2)")
                    await connection.execute("INSERT INTO items VALUES (1)")
            await connection.execute("INSERT INTO items VALUES (3)")
        with pytest.raises(LookupError):
            async with connection.transaction():
                await connection.execute("DELETE FROM items")
                raise LookupError
        cursor = await connection.execute("SELECT number FROM items ORDER BY number")
        assert await cursor.fetchall() == [(1,), (3,)]


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
    """Wait until this many queries are asleep: the server ignores a cancellation before that.

    `watcher` is in no transaction: within one the answer would stay the same.
    """
    question = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    while await value(watcher, question) != count:
        await asyncio.sleep(0)


async def test_a_query_can_be_cancelled_from_outside(postgresql: Server) -> None:
    async with connected(postgresql) as connection, connected(postgresql) as watcher:
        query = asyncio.create_task(connection.execute("SELECT pg_sleep(600)"))
        await sleeping(watcher, 1)
        await connection.cancel_safe()
        with pytest.raises(psycopg.errors.QueryCanceled):
            await query
        assert await is_usable(connection)


async def test_a_pipeline_sends_many_queries_at_once(postgresql: Server) -> None:
    async with connected(postgresql) as connection:
        await connection.execute("CREATE TEMPORARY TABLE numbers (number int)")
        async with connection.pipeline():
            cursors = [
                await connection.execute("INSERT INTO numbers VALUES (%s) RETURNING number", (n,))
                for n in range(500)
            ]
            assert [(await cursor.fetchone())[0] for cursor in cursors] == list(range(500))
        with pytest.raises(psycopg.errors.DivisionByZero):
            async with connection.pipeline():
                await connection.execute("SELECT 1 / 0")
        assert await is_usable(connection)


async def test_copy_in_and_out(postgresql: Server) -> None:
    records = [(number, f"name {number}" * 20) for number in range(20_000)]
    async with connected(postgresql) as connection:
        await connection.execute("CREATE TEMPORARY TABLE people (number int, name text)")
        cursor = connection.cursor()
        async with cursor.copy("COPY people FROM STDIN") as copy:
            for record in records:
                await copy.write_row(record)
        async with cursor.copy("COPY (SELECT * FROM people ORDER BY number) TO STDOUT") as copy:
            copy.set_types(["int4", "text"])
            assert [row async for row in copy.rows()] == records


async def test_a_copy_that_fails_half_way_leaves_the_connection_usable(postgresql: Server) -> None:
    async with connected(postgresql) as connection:
        await connection.execute("CREATE TEMPORARY TABLE numbers (number int)")
        with pytest.raises(LookupError):
            async with connection.cursor().copy("COPY numbers FROM STDIN") as copy:
                await copy.write_row((1,))
                raise LookupError
        assert await value(connection, "SELECT count(*) FROM numbers") == 0


async def test_notifications_are_waited_for(postgresql: Server) -> None:
    async with connected(postgresql) as listening, connected(postgresql) as speaking:
        await listening.execute("LISTEN news")

        async def speak() -> None:
            for number in range(100):
                await speaking.execute("SELECT pg_notify('news', %s)", (str(number),))

        speech = asyncio.create_task(speak())
        heard = [note.payload async for note in listening.notifies(stop_after=100)]
        await speech
        assert heard == [str(number) for number in range(100)]
        # Waiting for what does not come ends in time, and harms nothing.
        assert [note async for note in listening.notifies(timeout=0.01)] == []
        assert await is_usable(listening)


async def test_a_cursor_in_the_server_fetches_as_it_goes(postgresql: Server) -> None:
    async with connected(postgresql) as connection, connection.transaction():
        async with connection.cursor(name="thousand") as cursor:
            cursor.itersize = 37
            await cursor.execute("SELECT n FROM generate_series(1, 1000) n")
            assert [row[0] async for row in cursor] == list(range(1, 1001))


async def test_a_pool_serves_more_tasks_than_it_has_connections(postgresql: Server) -> None:
    processes = set()
    async with psycopg_pool.AsyncConnectionPool(
        address(postgresql), min_size=2, max_size=4, open=False, kwargs={"autocommit": True}
    ) as pool:

        async def ask(number: int) -> int:
            async with pool.connection() as connection:
                processes.add(connection.info.backend_pid)
                return await value(connection, "SELECT %s::int + 1", number)

        async def sleep() -> None:
            async with pool.connection() as connection:
                await connection.execute("SELECT pg_sleep(600)")

        answers = await asyncio.gather(*(ask(number) for number in range(200)))
        assert answers == list(range(1, 201))
        # Tasks that are cancelled give their connections back.
        queries = [asyncio.create_task(sleep()) for _ in range(3)]
        async with pool.connection() as connection:
            await sleeping(connection, 3)
        for query in queries:
            query.cancel()
        await asyncio.wait(queries)
        assert all(query.cancelled() for query in queries)
        assert await asyncio.gather(*(ask(number) for number in range(50))) == list(range(1, 51))
    assert 1 <= len(processes) <= 4


async def test_a_connection_that_the_server_ends_is_an_error_at_once(postgresql: Server) -> None:
    async with connected(postgresql) as connection, connected(postgresql) as other:
        server_process = connection.info.backend_pid
        waiting = asyncio.create_task(connection.execute("SELECT pg_sleep(600)"))
        await sleeping(other, 1)
        await other.execute("SELECT pg_terminate_backend(%s)", (server_process,))
        with pytest.raises(psycopg.OperationalError):
            await waiting
        assert connection.closed


async def test_tls_of_libpq_and_a_unix_socket(
    postgresql: Server, certificate: tuple[str, str]
) -> None:
    checked = {"sslmode": "verify-full", "sslrootcert": certificate[0]}
    async with connected(postgresql, host="localhost", **checked) as connection:
        question = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        assert await value(connection, question) is True
        assert len(await value(connection, "SELECT %s::text", "x" * LARGE)) == LARGE
    async with connected(postgresql, host=str(postgresql.folder)) as connection:
        assert await value(connection, "SELECT inet_client_addr()") is None
