"""When a worker is due, how long its place stays empty, and which settings contradict."""

from __future__ import annotations

from typing import Any

import pytest

from hoopsnake import ServerError
from hoopsnake._workers.config import WorkerConfig
from hoopsnake._workers.policies import Backoff, Term


def test_a_healthy_worker_is_followed_at_once() -> None:
    backoff = Backoff()
    assert backoff.after(Backoff.HEALTHY_AFTER, 0.5) == 0
    assert backoff.after(1e6, 0) == 0


def test_early_ends_double_the_time_up_to_the_longest() -> None:
    backoff = Backoff()
    delays = [backoff.after(0.1, 0) for _ in range(10)]
    assert delays[:4] == [0.25, 0.5, 1.0, 2.0]
    assert delays[-1] == Backoff.LONGEST
    for _ in range(10_000):
        assert backoff.after(0, 0) == Backoff.LONGEST


def test_a_time_of_health_is_a_new_beginning() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.after(0, 0)
    assert backoff.after(Backoff.HEALTHY_AFTER, 0) == 0
    assert backoff.after(0, 0) == Backoff.FIRST


@pytest.mark.parametrize("chance", [0.0, 0.25, 1.0])
def test_chance_takes_up_to_half_of_the_time_away(chance: float) -> None:
    assert Backoff().after(0, chance) == Backoff.FIRST * (1 - chance / 2)


def test_each_worker_has_its_own_share_of_the_jitter() -> None:
    config = WorkerConfig(
        workers=2,
        max_requests=100,
        max_requests_jitter=10,
        worker_lifetime=60.0,
        worker_lifetime_jitter=6.0,
    )
    assert Term.drawn(config, 0.0) == Term(100, 60.0, None)
    assert Term.drawn(config, 1.0) == Term(110, 66.0, None)
    assert Term.drawn(config, 0.5) == Term(105, 63.0, None)


def test_each_limit_makes_a_worker_due_and_says_why() -> None:
    fresh: dict[str, Any] = {"requests": 9, "age": 9.0, "memory": 9 * 1024**2}
    term = Term(requests=10, lifetime=10.0, memory=10 * 1024**2)
    assert term.over(**fresh) is None
    assert term.over(**{**fresh, "requests": 10}) == "it has served 10 requests"
    assert term.over(**{**fresh, "age": 10.0}) == "it has served for 10 seconds"
    assert term.over(**{**fresh, "memory": 10 * 1024**2}) == "it has 10 MiB of memory"
    endless = Term.drawn(WorkerConfig(workers=1, max_requests=None), 1.0)
    assert endless.over(requests=10**9, age=1e9, memory=10**12) is None


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"workers": 0}, "workers 0 leaves nobody to serve"),
        ({"workers": 1, "max_requests": 0}, "max_requests 0 is not above 0"),
        ({"max_requests": 5}, "max_requests needs workers"),
        ({"workers": 1, "worker_lifetime": float("nan")}, "worker_lifetime nan is not above 0"),
        ({"workers": 1, "max_requests_jitter": 5}, "max_requests_jitter needs max_requests"),
        (
            {"workers": 1, "worker_lifetime": 1.0, "worker_lifetime_jitter": -1.0},
            "worker_lifetime_jitter -1.0 is not 0 or more",
        ),
        ({"worker_silence": 1.0}, "worker_silence 1.0 is not 2 or more seconds"),
        ({"worker_stuck_timeout": 1.0}, "a worker is reported before it is killed"),
        ({"reload": True, "workers": 2}, "reload runs one worker, not 2"),
        ({"reload_dir": ("a",)}, "reload_dir and reload_exclude need reload"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(
    settings: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ServerError) as caught:
        WorkerConfig(**settings)
    assert complaint in str(caught.value)


def test_there_is_a_supervisor_only_where_one_is_asked_for() -> None:
    assert not WorkerConfig().supervised
    assert WorkerConfig(workers=1).supervised
    assert WorkerConfig(reload=True).supervised
