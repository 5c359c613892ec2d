"""How worker processes are run: one object, checked where it is made."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hoopsnake._errors import ServerError

__all__ = ["WorkerConfig"]

# A worker says once a second how it fares: less than this would call every one of them silent.
_SHORTEST_SILENCE = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerConfig:
    """The settings of `hoop serve` that concern its worker processes.

    Given by keyword, and unchangeable. None means that there is no such limit. Raises ServerError
    for a value that cannot be meant.
    """

    workers: int | None = None
    """How many processes serve, under a supervisor; None serves in the command's own process."""
    max_requests: int | None = None
    """Requests after which a worker is replaced; WebSockets count as one."""
    max_requests_jitter: int = 0
    """Up to so many more, at random, so that not all workers are due at once."""
    worker_lifetime: float | None = None
    """Seconds after which a worker is replaced."""
    worker_lifetime_jitter: float = 0.0
    """Up to so many more, at random."""
    worker_memory: int | None = None
    """Bytes of resident memory with which a worker is replaced."""
    worker_silence: float = 5.0
    """Seconds without a sign of life from a worker's loop after which its stack is logged."""
    worker_stuck_timeout: float | None = None
    """Seconds without a sign of life after which a worker is killed; None never does that."""
    reload: bool = False
    """Whether one worker serves, and is started anew when files change: for development."""
    reload_dir: tuple[str, ...] = ()
    """The folders whose files are watched; none means the application's own folder."""
    reload_include: tuple[str, ...] = ("*.py",)
    """Patterns of the names or paths of files that are watched."""
    reload_exclude: tuple[str, ...] = ()
    """Patterns of the names or paths of files and folders that are not."""

    @property
    def supervised(self) -> bool:
        """Whether there is a supervisor at all."""
        return self.workers is not None or self.reload

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ServerError(f"workers {self.workers} leaves nobody to serve")
        for name in ("max_requests", "worker_lifetime", "worker_memory"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ServerError(f"{name} {value} is not above 0")
            if value is not None and self.workers is None:
                raise ServerError(f"{name} needs workers: who else is to take over?")
            if value is not None and self.reload:
                raise ServerError(
                    f"{name} means nothing with reload: only changes replace its worker"
                )
        for name, limit in (
            ("max_requests_jitter", "max_requests"),
            ("worker_lifetime_jitter", "worker_lifetime"),
        ):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ServerError(f"{name} {value} is not 0 or more")
            if value and getattr(self, limit) is None:
                raise ServerError(f"{name} needs {limit}")
        if not self.worker_silence >= _SHORTEST_SILENCE:
            raise ServerError(
                f"worker_silence {self.worker_silence} is not {_SHORTEST_SILENCE:g} or more seconds"
            )
        stuck = self.worker_stuck_timeout
        if stuck is not None and not stuck >= self.worker_silence:
            raise ServerError(
                f"worker_stuck_timeout {stuck} is below worker_silence {self.worker_silence}: a "
                "worker is reported before it is killed"
            )
        if self.reload and self.workers not in (None, 1):
            raise ServerError(f"reload runs one worker, not {self.workers}")
        if not self.reload and (self.reload_dir or self.reload_exclude):
            raise ServerError("reload_dir and reload_exclude need reload")
