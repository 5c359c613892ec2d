"""A short soak ends well, and a soak finds what it is there to find."""

from __future__ import annotations

import asyncio
import gc
import os
import secrets
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import content
import leftovers
import pytest
from content import HELLO, Checker, Content, WrongContent
from plans import plan_of

SOAK = Path(__file__).with_name("soak.py")
MIB = 1024**2
needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="openssl is missing: it makes the certificate"
)


def soak(seconds: float, seed: int, *, sabotage: str = "") -> subprocess.CompletedProcess[str]:
    """Soak in a process of its own, in which something was broken before, if asked."""
    program = f"""
import sys
sys.path.insert(0, {str(SOAK.parent)!r})
sys.argv[1:] = ["--seconds", "{seconds}", "--seed", "{seed}"]
import acts, conversations, peers, soak
{sabotage}
sys.exit(soak.main())
"""
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=50,
    )


@needs_openssl
def test_a_short_soak_ends_well() -> None:
    seed = int(os.environ.get("SOAK_SEED") or secrets.randbelow(10**9))
    ended = soak(4, seed)
    # `make soak SOAK_SEED=… SOAK_SECONDS=…` repeats it.
    assert ended.returncode == 0, f"seed {seed}\n{ended.stdout}\n{ended.stderr}"
    assert f"seed {seed}, 4 s" in ended.stdout
    assert "converse" in ended.stdout and "abandon_connect" in ended.stdout


@needs_openssl
@pytest.mark.parametrize(
    ("sabotage", "complaint"),
    [
        pytest.param(
            "peers.Echo.data_received = lambda self, data: self.transport.write(data[::-1])",
            "a wrong byte at offset",
            id="wrong bytes",
        ),
        pytest.param(
            "kept = []; known = conversations.End.converse\n"
            "def keep(self): kept.append(self.writer); return known(self)\n"
            "conversations.End.converse = keep",
            "transports are still alive",
            id="transports that stay",
        ),
        pytest.param(
            "import asyncio, os\n"
            "async def leak(stage, draw): await asyncio.sleep(0.1); os.dup(0)\n"
            "soak.ACTS = {leak: 1}",
            "descriptors are left open",
            id="descriptors that stay",
        ),
        pytest.param(
            "import asyncio\n"
            "async def forget(stage, draw):\n"
            "    await asyncio.sleep(0.1); asyncio.ensure_future(asyncio.sleep(60))\n"
            "soak.ACTS = {forget: 1}",
            "tasks are left",
            id="tasks that stay",
        ),
        pytest.param(
            "hoard = []\n"
            "async def grow(stage, draw):\n"
            "    import asyncio; await asyncio.sleep(0.01); hoard.append(b'x' * 20_000)\n"
            "soak.ACTS = {grow: 1}",
            "resident memory grew by",
            id="memory that grows",
        ),
        pytest.param(
            "import asyncio\n"
            "async def fail(stage, draw):\n"
            "    await asyncio.sleep(0.1); asyncio.get_running_loop().call_soon(int, 'none')\n"
            "soak.ACTS = {fail: 1}",
            "the exception handler was told",
            id="a callback that fails",
        ),
        pytest.param(
            "import asyncio; soak.LONGEST_ACT_SECONDS = 0.2\n"
            "async def hang(stage, draw): await asyncio.get_running_loop().create_future()\n"
            "soak.ACTS = {hang: 1}",
            "hang failed",
            id="an act that hangs",
        ),
        pytest.param(
            "import asyncio, os\n"
            "async def abandon(stage, draw):\n"
            "    await asyncio.sleep(0.1); os.posix_spawn('/bin/true', ['true'], {})\n"
            "soak.ACTS = {abandon: 1}",
            "a child is left",
            id="children that stay",
        ),
        pytest.param(
            "import asyncio, socket\n"
            "async def drop(stage, draw): await asyncio.sleep(0.1); socket.socket()\n"
            "soak.ACTS = {drop: 1}",
            "ResourceWarning: unclosed",
            id="a socket that is dropped",
        ),
    ],
)
def test_a_soak_finds(sabotage: str, complaint: str) -> None:
    ended = soak(0.5, 5, sabotage=sabotage)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert complaint in ended.stderr
    assert "again with: make soak SOAK_SEED=5 SOAK_SECONDS=0.5" in ended.stderr


class TestContent:
    def test_any_part_is_a_part_of_the_whole(self) -> None:
        whole = Content(3, 17, "up").at(0, 5000)
        for begin, length in ((0, 1), (1023, 2), (1024, 1024), (777, 4000), (4999, 1), (5, 0)):
            assert Content(3, 17, "up").at(begin, length) == whole[begin : begin + length]

    def test_connections_ways_and_seeds_differ(self) -> None:
        first = Content(3, 17, "up").at(100, 100)
        for other in (Content(3, 18, "up"), Content(3, 17, "down"), Content(4, 17, "up")):
            assert other.at(100, 100) != first

    def test_a_byte_of_another_connection_is_found_and_named(self) -> None:
        checker = Checker(Content(3, 17, "up"), 5000)
        checker.feed(Content(3, 17, "up").at(0, 1000))
        with pytest.raises(WrongContent, match=r"17 up: a wrong byte at offset 1016.*<0000000018"):
            checker.feed(
                Content(3, 17, "up").at(1000, 16) + Content(3, 18, "up").at(content.BLOCK, 100)
            )

    def test_too_much_and_too_little_are_wrong(self) -> None:
        checker = Checker(Content(3, 17, "up"), 10)
        checker.feed(Content(3, 17, "up").at(0, 9))
        with pytest.raises(WrongContent, match="ended after 9 of 10"):
            checker.end()
        with pytest.raises(WrongContent, match="got 11 of 10"):
            checker.feed(Content(3, 17, "up").at(9, 2))

    def test_a_hello_names_its_connection(self) -> None:
        hello = Content(3, 17, "up").hello()
        assert len(hello) == HELLO and content.connection_of(hello, 3) == 17
        for wrong in (hello[:-1] + b"?", b"?" * HELLO, Content(4, 17, "up").hello()):
            with pytest.raises(WrongContent):
                content.connection_of(wrong, 3)


class TestPlans:
    def test_a_plan_follows_from_seed_and_number(self) -> None:
        assert plan_of(3, 17) == plan_of(3, 17)
        assert [plan_of(3, number) for number in range(20)] != [
            plan_of(4, number) for number in range(20)
        ]

    def test_every_way_of_a_connection_comes_up(self) -> None:
        plans = [plan_of(1, number) for number in range(2000)]
        assert {plan.route for plan in plans} == {"tcp", "unix", "tls", "upgraded"}
        left = {(plan.leaver, plan.leaving, plan.blocked) for plan in plans if plan.leaver}
        assert len(left) == 2 * 4 * 2
        assert any(plan.stays_whole() and plan.up > 100_000 for plan in plans)


class TestLeftovers:
    def test_growth_is_judged_after_the_warm_up(self) -> None:
        memory = [leftovers.Memory(size * MIB, 100) for size in (10, 30, 30, 31)]
        assert leftovers.growth(memory) == []
        (said,) = leftovers.growth([*memory[:3], leftovers.Memory(40 * MIB, 100)])
        assert "grew by 10.0 MiB" in said
        (said,) = leftovers.growth([*memory[:3], leftovers.Memory(30 * MIB, 10**6)])
        assert "Python's blocks grew by 999,900" in said

    def test_a_descriptor_more_is_told_and_one_less_is_not(self) -> None:
        before = leftovers.descriptors()
        with socket.socket():
            (said,) = leftovers.new_descriptors(before)
            assert "'socket': 1" in said
            more = leftovers.descriptors()
        assert leftovers.new_descriptors(before) == leftovers.new_descriptors(more) == []

    def test_protocols_are_found_wherever_they_are_held(self) -> None:
        held = {"somewhere": asyncio.Protocol()}
        assert any("Protocol" in said for said in leftovers.objects_left([]))
        held.clear()
        gc.collect()
        assert not any("'Protocol'" in said for said in leftovers.objects_left([]))
