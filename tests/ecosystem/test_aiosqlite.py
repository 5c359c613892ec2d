"""aiosqlite: a thread for each connection, whose answers come by `call_soon_threadsafe`."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

aiosqlite = pytest.importorskip("aiosqlite")

# Counts far beyond what anybody would wait for.
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) FROM n"


async def test_rows_come_back_one_by_one_and_all_at_once() -> None:
    async with aiosqlite.connect(":memory:") as database:
        database.row_factory = aiosqlite.Row
        await database.execute("CREATE TABLE items (number INTEGER PRIMARY KEY, name TEXT)")
        rows = [(number, f"name {number}") for number in range(2000)]
        await database.executemany("INSERT INTO items VALUES (?, ?)", rows)
        async with database.execute("SELECT * FROM items ORDER BY number") as cursor:
            assert [tuple(row) async for row in cursor] == rows
        (last,) = await database.execute_fetchall("SELECT * FROM items WHERE number = 1999")
        assert last["name"] == "name 1999"


async def test_what_is_rolled_back_is_gone_and_what_is_committed_stays(tmp_path: Path) -> None:
    file = tmp_path / "database"
    async with aiosqlite.connect(file) as database:
        await database.execute("CREATE TABLE items (number INTEGER UNIQUE)")
        await database.execute("INSERT INTO items VALUES (1)")
        await database.commit()
        with pytest.raises(sqlite3.IntegrityError):
            await database.execute("INSERT INTO items VALUES (1)")
        await database.execute("INSERT INTO items VALUES (2)")
        await database.rollback()
    async with aiosqlite.connect(file) as database:
        assert await database.execute_fetchall("SELECT number FROM items") == [(1,)]


async def test_functions_of_python_are_called_and_their_errors_told() -> None:
    async with aiosqlite.connect(":memory:") as database:
        await database.create_function("shout", 1, str.upper)
        (row,) = await database.execute_fetchall("SELECT shout('hello')")
        assert row[0] == "HELLO"
        with pytest.raises(sqlite3.OperationalError):
            await database.execute_fetchall("SELECT shout(1)")


async def test_the_loop_goes_on_while_a_query_runs_until_it_is_interrupted() -> None:
    async with aiosqlite.connect(":memory:") as database:
        query = asyncio.create_task(database.execute_fetchall(ENDLESS))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not query.done()
        while not query.done():  # an interrupt before the thread has begun is lost
            await database.interrupt()
            await asyncio.sleep(0.001)
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            await query
        assert await database.execute_fetchall("SELECT 1") == [(1,)]


async def test_a_cancelled_query_leaves_the_connection_usable() -> None:
    async with aiosqlite.connect(":memory:") as database:
        for number in range(20):
            query = asyncio.create_task(database.execute_fetchall("SELECT 'nobody waits'"))
            if number % 2:
                await asyncio.sleep(0)
            query.cancel()
            with pytest.raises(asyncio.CancelledError):
                await query
            rows = await database.execute_fetchall("SELECT ?", (number,))
            assert rows == [(number,)]


async def test_many_databases_answer_from_many_threads_at_once(tmp_path: Path) -> None:
    async def work(number: int) -> int:
        async with aiosqlite.connect(tmp_path / f"database {number}") as database:
            await database.execute("CREATE TABLE items (number INTEGER)")
            for item in range(20):
                await database.execute("INSERT INTO items VALUES (?)", (number * item,))
            await database.commit()
            ((total,),) = await database.execute_fetchall("SELECT sum(number) FROM items")
            return total

    totals = await asyncio.gather(*(work(number) for number in range(20)))
    assert totals == [number * 190 for number in range(20)]
