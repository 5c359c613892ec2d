"""The programs of the guide print the same under `hoop run` as under plain Python."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

GUIDE = Path(__file__).parents[2] / "examples" / "guide"
SECONDS = 50

# What makes each program the lesson that it is: lines that its output must hold, in this order.
LESSONS = {
    "two_tasks": ["breakfast: tea and eggs", "it took 2 seconds and a moment"],
    "gather_three": [
        "quick has arrived",
        "['SLOW', 'QUICK', 'MIDDLING']",
        """["'FINE'", "ValueError('no such price')"]""",
    ],
    "forgotten_await": ["the letter was not sent"],
    "task_group": ["second: done", "patient: cancelled", "failed: the dough is dry"],
    "timeout": ["too slow for a timeout", "too slow for wait_for", "expired: False"],
    "queue_workers": ["100 squares, their sum is 328350", "workers cancelled: 4"],
    "generator_cleanup": [
        "careful: closed",
        "after careful",
        "end of main",
        "careless: closed",
        "end of the program",
    ],
    "context_variables": [
        "['Ada', 'Ada, audited by the auditor']",
        "[nobody] main has set nothing",
    ],
    "executor": [
        "to_thread: another thread",
        "eight at once: {'another thread'} together: True",
        "the loop went on meanwhile: True",
    ],
    "echo": ["['you said: hello', 'you said: goodbye']", "['100010 letters']"],
    "many_clients": ["500 of 500 clients had their answer", "in about one wait: True"],
    "scraper": ["200 pages, from 'Page 0' to 'Page 199'", "all at once: True"],
    "signal_handler": ["stopped after some work: True", "removed: True", "as at first: True"],
    "subprocess_output": ["read: line 2", "read: SHOUT", "stopped by signal 15"],
}


class Ending(NamedTuple):
    """How a program ended, and all that it said."""

    status: int
    output: str
    errors: str


class Pair(NamedTuple):
    """A program with and without hoopsnake, running side by side."""

    hoop: subprocess.Popen[str]
    plain: subprocess.Popen[str]

    def endings(self) -> tuple[Ending, Ending]:
        return _ending(self.hoop), _ending(self.plain)


def _ending(process: subprocess.Popen[str]) -> Ending:
    try:
        output, errors = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    return Ending(process.returncode, output, errors)


def _start(*command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_both(name: str) -> Pair:
    program = str(GUIDE / f"{name}.py")
    return Pair(_start("-m", "hoopsnake", "run", program), _start(program))


def test_every_program_is_tested() -> None:
    tested = {*LESSONS, "await_outside", "interrupt"}
    assert {path.stem for path in GUIDE.glob("*.py")} == tested


@pytest.mark.parametrize("name", LESSONS)
def test_prints_the_same_with_and_without_hoopsnake(name: str) -> None:
    hoop, plain = start_both(name).endings()
    assert hoop == plain
    assert hoop.status == 0, hoop.errors
    printed = hoop.output.splitlines()
    assert [line for line in printed if line in LESSONS[name]] == LESSONS[name]


def test_a_coroutine_that_is_not_awaited_warns() -> None:
    hoop, plain = start_both("forgotten_await").endings()
    assert "RuntimeWarning: coroutine 'send_letter' was never awaited" in hoop.errors
    assert hoop.errors == plain.errors


def test_await_outside_of_async_def_is_shown_as_python_shows_it() -> None:
    hoop, plain = start_both("await_outside").endings()
    assert hoop == plain
    assert hoop.status == 1
    assert hoop.output == ""
    assert hoop.errors.splitlines()[0].endswith('await_outside.py", line 8')
    assert hoop.errors.splitlines()[-1].startswith("SyntaxError: 'await' outside")


def test_control_c_ends_a_program_in_the_same_way() -> None:
    pair = start_both("interrupt")
    for process in pair:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
    hoop, plain = pair.endings()
    assert hoop.output.splitlines() == [
        "cancelled: putting things away",
        "put away",
        "the program was interrupted",
        "the last line",
    ]
    assert hoop.output == plain.output
    # Ended by the signal itself: a shell that runs a script then stops the script too.
    assert hoop.status == plain.status == -signal.SIGINT
    assert own_lines(hoop.errors) == own_lines(plain.errors)
    assert "hoopsnake" not in hoop.errors


def own_lines(errors: str) -> list[str]:
    """Keep of a traceback what tells of the program itself.

    Between `asyncio.run` and the coroutine, plain asyncio has frames of its own event loop; the
    Rust loop has none.
    """
    lines = errors.splitlines()
    return [line for line in lines if str(GUIDE) in line] + lines[-1:]
