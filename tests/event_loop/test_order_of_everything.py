"""Any program of callbacks, timers, tasks, cancellations and stops runs in asyncio's own order.

Hypothesis draws the programs, always the same ones (`derandomize`); one that runs otherwise on our
loop is made small and printed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from loop_under_test import end, make_loop

# A command is a word and what belongs to it; a script is the commands that a callback runs.
Command = tuple[Any, ...]
Script = list[Command]

# Due at once, in this order, or not in our time.
SLOTS = st.one_of(st.integers(-20, -1), st.just(3600))
simple = st.one_of(
    st.tuples(st.just("cancel"), st.integers(0, 40)),
    st.tuples(st.just("task"), st.integers(0, 3)),
    st.tuples(st.sampled_from(["stop", "raise", "leave"])),
)


def scheduling(scripts: st.SearchStrategy[Script]) -> st.SearchStrategy[Command]:
    """Commands that schedule a callback with a script of its own."""
    return st.one_of(
        st.tuples(st.sampled_from(["soon", "soon", "threadsafe", "later"]), scripts),
        st.tuples(st.just("at"), scripts, SLOTS),
    )


scripts: st.SearchStrategy[Script] = st.recursive(
    st.lists(simple, max_size=2),
    lambda inner: st.lists(st.one_of(simple, scheduling(inner)), max_size=3),
    max_leaves=8,
)


class Performer:
    """One loop, and a log of what ran on it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.log: list[str] = []
        self.scheduled: list[asyncio.Handle | asyncio.Task[None]] = []
        self.began = loop.time()
        self.over = False
        loop.set_exception_handler(self._report)

    def _report(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.log.append(f"reported {context.get('exception')!r}")

    def do(self, command: Command) -> None:
        """Carry out one command."""
        match command:
            case ("soon", script):
                self._schedule(self.loop.call_soon, script)
            case ("threadsafe", script):
                self._schedule(self.loop.call_soon_threadsafe, script)
            case ("later", script):
                self._schedule(lambda callback: self.loop.call_later(0, callback), script)
            case ("at", script, slot):
                # No two are due at the same time: asyncio leaves open which is first then.
                when = self.began + slot + len(self.scheduled) * 1e-6
                self._schedule(lambda callback: self.loop.call_at(when, callback), script)
            case ("task", steps):
                name = len(self.scheduled)
                self.scheduled.append(self.loop.create_task(self._steps(name, steps)))
            case ("cancel", index) if self.scheduled:
                self.scheduled[index % len(self.scheduled)].cancel()
            case ("stop",):
                self.loop.stop()
            case ("raise",):
                raise LookupError("on purpose")
            case ("leave",):
                raise SystemExit("on purpose")

    def _schedule(
        self, schedule: Callable[[Callable[[], None]], asyncio.Handle], script: Script
    ) -> None:
        name = len(self.scheduled)

        def callback() -> None:
            self.log.append(f"callback {name}")
            for command in script:
                if not self.over:
                    self.do(command)

        self.scheduled.append(schedule(callback))

    async def _steps(self, name: int, steps: int) -> None:
        try:
            for step in range(steps):
                self.log.append(f"task {name} step {step}")
                await asyncio.sleep(0)
        finally:
            self.log.append(f"task {name} ends")

    def run(self, *, stopping: bool) -> None:
        """Run for a turn, or until a stop that another callback asks for."""
        if stopping:
            self.loop.stop()
        else:
            self.loop.call_soon(self.loop.stop)
        try:
            self.loop.run_forever()
        except SystemExit:
            self.log.append("left")
        self.log.append("stopped")

    def cancelled(self) -> list[bool]:
        """Which of all that was scheduled counts as cancelled."""
        return [each.cancelled() for each in self.scheduled]


class SameOrder(RuleBasedStateMachine):
    """The same commands, given to asyncio's own loop and to ours."""

    def __init__(self) -> None:
        super().__init__()
        self.performers = [Performer(asyncio.SelectorEventLoop()), Performer(make_loop())]

    @rule(command=scheduling(scripts))
    def schedule(self, command: Command) -> None:
        for performer in self.performers:
            performer.do(command)

    @rule(command=simple.filter(lambda command: command[0] in ("cancel", "task")))
    def touch(self, command: Command) -> None:
        for performer in self.performers:
            performer.do(command)

    @rule(stopping=st.booleans())
    def run(self, stopping: bool) -> None:
        for performer in self.performers:
            performer.run(stopping=stopping)

    @rule()
    def run_to_the_end(self) -> None:
        # Scripts are at most a few callbacks deep.
        for _ in range(12):
            self.run(stopping=False)

    @invariant()
    def both_did_the_same(self) -> None:
        theirs, ours = self.performers
        assert ours.log == theirs.log
        assert ours.cancelled() == theirs.cancelled()

    def teardown(self) -> None:
        for performer in self.performers:
            performer.over = True
            # A stop that was left behind would end the run that ends the loop.
            performer.run(stopping=False)
            end(performer.loop)


TestSameOrder = SameOrder.TestCase
TestSameOrder.settings = settings(
    derandomize=True,
    max_examples=200,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
