"""Programs in processes of their own: waiting until one is parked, and for its end."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from loop_under_test import LONGEST_SECONDS

StartProgram = Callable[[str], subprocess.Popen[str]]


def wait_until_parked(process: subprocess.Popen[str]) -> None:
    """Wait for the program's word that it is ready, and then until it waits in the poller."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line == "ready\n", process.communicate(timeout=LONGEST_SECONDS)
    state = Path(f"/proc/{process.pid}/syscall")
    # The calls that a poller waits in, by number: epoll_wait and its kin on x86-64, 22 on arm64.
    while state.read_text().split()[0] not in {"232", "281", "7", "23", "22"}:
        os.sched_yield()


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=LONGEST_SECONDS)
    return process.returncode, out, err
