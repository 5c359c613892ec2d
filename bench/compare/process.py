"""One server process and its children: start, pin, wait, read CPU and memory, end."""

import ctypes
import os
import resource
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.compare import proc_files
from bench.compare.endpoints import Endpoint
from bench.compare.faults import NotMeasured

READY_SECONDS = 30.0
STOP_SECONDS = 5.0
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PR_SET_PDEATHSIG = 1
# Loaded before any fork: between fork and exec only simple calls are safe.
LIBC = ctypes.CDLL(None)


def in_child(cores: Sequence[int] | None) -> Callable[[], None]:
    """What a child does before it becomes the program.

    It dies with the bench, stays on its cores, and may open as many files as the machine allows.
    """
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)

    def prepare() -> None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
        if cores is not None:
            os.sched_setaffinity(0, cores)

    return prepare


def free_port(over: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket(type=over) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Process:
    """A program in a session of its own; the session is the tree whose CPU and memory count."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        directory: Path,
        cores: Sequence[int] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 – stop() closes it
        self._child = subprocess.Popen(
            command,
            cwd=directory,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=in_child(cores),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def wait_until_listening(self, endpoint: Endpoint) -> None:
        """Return once somebody accepts there; NotMeasured with the last words if nobody does."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            self.raise_if_ended()
            try:
                endpoint.connect().close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise NotMeasured(f"did not listen within {READY_SECONDS:.0f} s{self.last_words()}")

    def raise_if_ended(self) -> None:
        """NotMeasured with the program's last words if it is no longer there."""
        if self._child.poll() is not None:
            raise NotMeasured(f"ended with status {self._child.returncode}{self.last_words()}")

    def last_words(self) -> str:
        """What to put behind a fault: the last line that the program printed, if there is one."""
        printed = self._printed().strip()
        return f" (it printed: {printed.splitlines()[-1].strip()[:200]})" if printed else ""

    def output_at_end(self, seconds: float) -> str:
        """What the program printed, once it has ended well; NotMeasured if it does not."""
        try:
            self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise NotMeasured(f"did not end within {seconds:.0f} s{self.last_words()}") from None
        if self._child.returncode != 0:
            self.raise_if_ended()
        return self._printed()

    def _printed(self) -> str:
        # A handle of our own on the same file: seeking in the shared one would move the
        # program's next write.
        with open(f"/proc/self/fd/{self._output.fileno()}", "rb") as output:
            return output.read().decode(errors="replace")

    def cpu_seconds(self) -> float:
        """User and system time of every thread and process of the tree, ended children included."""
        return sum(stat.ticks for _, stat in self._members()) / TICKS_PER_SECOND

    def peak_memory(self) -> int:
        """The sum over the tree of the most memory each process ever held resident, in bytes."""
        return self._memory(proc_files.peak_resident_bytes)

    def memory(self) -> int:
        """The sum over the tree of the memory each process holds resident now, in bytes."""
        return self._memory(proc_files.resident_bytes)

    def _memory(self, read: Callable[[str], int]) -> int:
        total = 0
        for directory, _ in self._members():
            try:
                total += read((directory / "status").read_text())
            except OSError:
                # It ended between the two looks.
                continue
        return total

    def stop(self) -> None:
        """End the whole session: asked first, killed when it does not listen."""
        self._signal(signal.SIGTERM)
        try:
            self._child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        self._signal(signal.SIGKILL)
        self._child.wait()
        self._output.close()

    def _signal(self, number: signal.Signals) -> None:
        # Until the child is waited for, its pid (and so its group) cannot belong to anybody else.
        # Afterwards only members of the group that are still there keep the number in use.
        if self._child.returncode is None or any(self._members()):
            try:
                os.killpg(self._child.pid, number)
            except ProcessLookupError:
                pass

    def _members(self) -> Iterator[tuple[Path, proc_files.Stat]]:
        for directory in Path("/proc").iterdir():
            if not directory.name.isdigit():
                continue
            try:
                stat = proc_files.parse_stat((directory / "stat").read_text())
            except OSError:
                continue
            if stat.session == self._child.pid:
                yield directory, stat
