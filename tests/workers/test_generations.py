"""SIGHUP: a new generation takes over once it serves; SIGTTIN and SIGTTOU: one more, one fewer."""

from __future__ import annotations

import signal
from pathlib import Path

from supervised import APP, gone, load, serving, starting, write

NEWER = APP.replace('b"%d" % os.getpid()', 'b"new %d" % os.getpid()')


async def test_a_reload_under_load_loses_no_request_and_shows_new_code(tmp_path: Path) -> None:
    async with serving(tmp_path, "--workers", "2") as server:
        async with load(server) as result:
            await result.answered_by(2)
            write(tmp_path, NEWER)
            server.signal(signal.SIGHUP)
            await server.wait_for("Reloaded: 2 workers took over")
            await result.answered_by(4)
            while not (await server.get()).startswith("new "):
                pass
            server.signal(signal.SIGHUP)
            await server.wait_for("Reloaded", times=2)
            await result.answered_by(6)
            # The old ones answer what is on its way to them, for a second.
            for process in {each for each in result.answers if not each.startswith("new ")}:
                await gone(int(process))
            after = len(result.answers) + result.clients
            while len(result.answers) < after + 100:
                result.more.clear()
                await result.more.wait()
    assert result.failures == []
    assert "ERROR" not in server.log
    begun = next(place for place, each in enumerate(result.answers) if each.startswith("new "))
    assert all(each.startswith("new ") for each in result.answers[after:])
    assert begun > 0


async def test_a_failing_generation_leaves_the_old_one_at_work(tmp_path: Path) -> None:
    async with serving(tmp_path, "--workers", "2") as server:
        async with load(server) as result:
            await result.answered_by(2)
            write(tmp_path, "raise RuntimeError('not like this')")
            server.signal(signal.SIGHUP)
            await server.wait_for("Not reloaded, the old workers go on")
            await server.wait_for("RuntimeError: not like this")
            before = len(result.answers)
            while len(result.answers) < before + 50:
                result.more.clear()
                await result.more.wait()
        assert len(set(result.answers)) == 2
        assert result.failures == []
        # What is mended is taken up.
        write(tmp_path, NEWER)
        server.signal(signal.SIGHUP)
        await server.wait_for("Reloaded: 2 workers took over")
        while not (await server.get()).startswith("new "):
            pass


async def test_signals_ask_for_a_worker_more_or_fewer(tmp_path: Path) -> None:
    async with serving(tmp_path, "--workers", "1") as server:
        first = await server.worker()
        server.signal(signal.SIGTTIN)
        await server.wait_for("There are 2 workers from now on")
        await server.wait_for(r"Worker 2 \(process \d+\) is ready")
        while await server.worker() == first:
            pass
        server.signal(signal.SIGTTOU)
        await server.wait_for("There are 1 worker from now on")
        for _ in range(30):
            # For a second the one that leaves may still answer.
            await server.worker()
        server.signal(signal.SIGTTOU)
        server.signal(signal.SIGTERM)
        assert await server.ended() == 0
    assert "ERROR" not in server.log


async def test_a_stop_in_the_middle_of_a_reload_ends_both_generations(tmp_path: Path) -> None:
    slow = "import sys, time\nprint('importing', file=sys.stderr, flush=True)\ntime.sleep(100)"
    async with serving(tmp_path, "--workers", "2") as server:
        old = await server.worker()
        write(tmp_path, slow)
        server.signal(signal.SIGHUP)
        await server.wait_for("importing", times=2)
        assert await server.get(), "the old ones serve meanwhile"
        server.signal(signal.SIGTERM)
        assert await server.ended() == 0
        await gone(old)
    assert "Killed" not in server.log
    assert "Traceback" not in server.log


async def test_a_reload_while_the_first_workers_start_is_ignored(tmp_path: Path) -> None:
    slow = "import sys, time\nprint('importing', file=sys.stderr, flush=True)\ntime.sleep(100)"
    async with starting(tmp_path, "--workers", "1", source=slow) as server:
        await server.wait_for("importing")
        for number in (signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU):
            server.signal(number)
            await server.wait_for(f"Ignored {number.name}: the first workers are still starting")
        server.signal(signal.SIGTERM)
        assert await server.ended() == 0
    assert "Traceback" not in server.log
