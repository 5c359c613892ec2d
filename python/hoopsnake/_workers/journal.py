"""What a supervisor has to say of its workers, through Python's logging."""

from __future__ import annotations

import logging
from collections.abc import Sequence

__all__ = ["SupervisorJournal"]


class SupervisorJournal:
    """Writes to the logger `hoopsnake.error`."""

    def __init__(self) -> None:
        self._error = logging.getLogger("hoopsnake.error")

    def serving(self, addresses: Sequence[str], workers: int) -> None:
        """Workers accept connections."""
        self._error.info(
            "Serving on %s with %s (Ctrl-C stops it)", " and ".join(addresses), _workers(workers)
        )

    def stopping(self, workers: int) -> None:
        """A stop was asked for."""
        self._error.info("Stopping %s", _workers(workers))

    def stopped(self) -> None:
        """All is done."""
        self._error.info("Stopped")

    def ready(self, worker: str) -> None:
        """A worker that was started later serves too."""
        self._error.info("%s is ready", worker)

    def ended(self, worker: str, how: str, last_words: str, delay: float) -> None:
        """A worker has ended that nobody had asked to."""
        self._error.error(
            "%s %s; the next one starts %s%s",
            *(worker, how, f"in {delay:.1f} s" if delay else "now"),
            f"\n{last_words}" if last_words else "",
        )

    def left(self, worker: str, delay: float) -> None:
        """A worker stops though its supervisor has not asked for it, and is replaced."""
        self._error.info(
            "%s stops; the next one starts %s", worker, f"in {delay:.1f} s" if delay else "now"
        )

    def gone(self, worker: str, how: str, last_words: str) -> None:
        """A worker that had begun to stop has ended, and not well."""
        self._error.error("%s %s%s", worker, how, f"\n{last_words}" if last_words else "")

    def fault(self, exception: BaseException) -> None:
        """Something that looks after the workers has broken off: a fault of the supervisor's."""
        self._error.error("The supervisor failed at something", exc_info=exception)

    def starts_slowly(self, worker: str, seconds: float, stacks: str) -> None:
        """A worker neither serves nor fails; it goes on."""
        self._error.warning(
            "%s has been starting for %.0f s; it is at:\n%s",
            *(worker, seconds, stacks or "(it does not show its stack)"),
        )

    def ignored(self, signal_name: str, why: str) -> None:
        """A signal came at a time when there is nothing to do for it."""
        self._error.info("Ignored %s: %s", signal_name, why)

    def due(self, worker: str, reason: str) -> None:
        """A worker is to be replaced."""
        self._error.info("Replacing %s: %s", worker, reason)

    def not_replaced(self, worker: str, reason: str, delay: float) -> None:
        """No successor could be started; the worker goes on."""
        self._error.error(
            "Keeping %s: its successor failed, the next is tried in %.1f s\n%s",
            *(worker, delay, reason),
        )

    def reloading(self, workers: int) -> None:
        """A new generation is started beside the old one."""
        self._error.info("Reloading: starting %s", _workers(workers))

    def reloaded(self, workers: int) -> None:
        """The new generation serves."""
        self._error.info("Reloaded: %s took over", _workers(workers))

    def not_reloaded(self, reason: str) -> None:
        """The new generation failed, so the old one goes on."""
        self._error.error("Not reloaded, the old workers go on: %s", reason)

    def resized(self, workers: int) -> None:
        """A signal asked for one worker more or fewer."""
        self._error.info("There are %s from now on", _workers(workers))

    def silent(self, worker: str, seconds: float, stacks: str) -> None:
        """A worker's loop gives no sign of life; it goes on."""
        self._error.warning(
            "%s has been busy for %.0f s without a turn of its loop; it is at:\n%s",
            *(worker, seconds, stacks or "(it does not show its stack)"),
        )

    def heard_again(self, worker: str, seconds: float) -> None:
        """A silent worker's loop turns again."""
        self._error.info("The loop of %s turns again, after %.0f s", worker, seconds)

    def killed_as_stuck(self, worker: str, seconds: float) -> None:
        """It was silent for longer than the user allows."""
        self._error.error("Killed %s: no turn of its loop for %.0f s", worker, seconds)

    def killed(self, worker: str, patience: float) -> None:
        """A worker did not end in the time that it had."""
        self._error.error("Killed %s: it did not stop within %.0f s", worker, patience)

    def changed(self, files: Sequence[str]) -> None:
        """Files changed, so the worker is started anew."""
        shown = ", ".join(files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")
        self._error.info("Changed: %s; starting anew", shown)

    def waits_for_a_change(self, how: str, last_words: str) -> None:
        """The new code does not serve: its developer is told, and has the next word."""
        self._error.error(
            "The application %s; waiting for a change%s",
            *(how, f"\n{last_words}" if last_words else ""),
        )


def _workers(count: int) -> str:
    return "1 worker" if count == 1 else f"{count} workers"
