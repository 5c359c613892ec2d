"""Subprocesses: exec and shell, their pipes, their ends, their signals."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio import subprocess
from pathlib import Path

import pytest
from loop_under_test import Run

ECHO = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read().upper())"


def test_a_program_is_talked_to(run: Run) -> None:
    async def main() -> tuple[bytes, bytes | None, int | None]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", ECHO), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        out, err = await process.communicate(b"hello")
        return out, err, process.returncode

    assert run(main()) == (b"HELLO", None, 0)


def test_a_shell_command_runs(run: Run) -> None:
    async def main() -> tuple[bytes, bytes, int | None]:
        process = await asyncio.create_subprocess_shell(
            "echo out; echo err >&2; exit 7", stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, err = await process.communicate()
        return out, err, process.returncode

    assert run(main()) == (b"out\n", b"err\n", 7)


def test_megabytes_go_through_its_pipes(run: Run) -> None:
    payload = os.urandom(500_000).hex().encode()

    async def main() -> bytes:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", ECHO), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        return (await process.communicate(payload))[0]

    assert run(main()) == payload.upper()


def test_lines_are_read_as_they_come(run: Run) -> None:
    async def main() -> list[bytes]:
        process = await asyncio.create_subprocess_shell(
            "read line; echo got $line; read line; echo then $line",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert process.stdin is not None and process.stdout is not None
        lines = []
        for word in (b"one\n", b"two\n"):
            process.stdin.write(word)
            lines.append(await process.stdout.readline())
        assert await process.wait() == 0
        process.stdin.close()
        return lines

    assert run(main()) == [b"got one\n", b"then two\n"]


@pytest.mark.parametrize(
    ("method", "expected"), [("terminate", signal.SIGTERM), ("kill", signal.SIGKILL)]
)
def test_a_program_is_ended(run: Run, method: str, expected: int) -> None:
    async def main() -> int:
        process = await asyncio.create_subprocess_exec("sleep", "1000")
        assert process.returncode is None
        getattr(process, method)()
        return await process.wait()

    assert run(main()) == -expected


def test_many_programs_run_at_once(run: Run) -> None:
    async def one(number: int) -> int:
        process = await asyncio.create_subprocess_shell(f"exit {number}")
        return await process.wait()

    async def main() -> list[int]:
        return await asyncio.gather(*(one(number) for number in range(10)))

    assert run(main()) == list(range(10))


def test_a_program_that_is_not_there_is_an_error(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(FileNotFoundError):
            await asyncio.create_subprocess_exec(str(tmp_path / "nothing"))

    run(main())


def test_a_reader_that_waits_is_cancelled_with_its_timeout(run: Run) -> None:
    async def main() -> None:
        process = await asyncio.create_subprocess_exec("cat", stdin=subprocess.PIPE)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(process.wait(), 0.005)
        assert process.stdin is not None
        process.stdin.close()
        assert await process.wait() == 0

    run(main())
