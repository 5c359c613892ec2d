"""aiodns: c-ares with a thread of its own, or with its sockets watched by the loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from dns_responder import AAAA, MX, TXT, A, Responder, address, mail_exchange, responding, text

pytest.importorskip("aiodns")
import aiodns
import pycares

LONG = b"0123456789" * 200


def zone(name: str, kind: int) -> list[bytes] | None:
    """What the responder knows; `host-N` has an address with that number."""
    known = {
        ("both.test", A): [address("192.0.2.1"), address("192.0.2.2")],
        ("both.test", AAAA): [address("2001:db8::1")],
        ("mail.test", MX): [mail_exchange(10, "first.test"), mail_exchange(20, "second.test")],
        ("long.test", TXT): [text(LONG)],
    }
    if name.startswith("host-") and kind == A:
        return [address(f"198.51.100.{name[5:].partition('.')[0]}")]
    if name in {known_name for known_name, _ in known}:
        return known.get((name, kind), [])
    return None


@pytest.fixture(params=["its own thread", "our readers"], autouse=True)
def driven_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where c-ares cannot start its thread, the sockets are watched by aiodns itself."""
    make = pycares.Channel

    def make_without_a_thread(**options: Any) -> pycares.Channel:
        if "sock_state_cb" not in options:
            raise pycares.AresError(0, "no thread, says the test")
        return make(**options)

    if request.param == "our readers":
        monkeypatch.setattr(pycares, "Channel", make_without_a_thread)


@asynccontextmanager
async def resolving(**options: Any) -> AsyncIterator[tuple[aiodns.DNSResolver, Responder]]:
    async with responding(zone) as responder:
        ports = {"udp_port": responder.port, "tcp_port": responder.port}
        async with aiodns.DNSResolver(["127.0.0.1"], **ports, **options) as resolver:
            yield resolver, responder


async def test_records_of_several_types() -> None:
    async with resolving() as (resolver, _):
        found = await resolver.query_dns("both.test", "A")
        assert sorted(record.data.addr for record in found.answer) == ["192.0.2.1", "192.0.2.2"]
        found = await resolver.query_dns("mail.test", "MX")
        exchanges = {record.data.priority: record.data.exchange for record in found.answer}
        assert exchanges == {10: "first.test", 20: "second.test"}
        info = await resolver.getaddrinfo("both.test", socket.AF_INET6, port=80)
        assert [node.addr[:2] for node in info.nodes] == [(b"2001:db8::1", 80)]


async def test_what_is_not_there_is_an_error() -> None:
    async with resolving() as (resolver, _):
        with pytest.raises(aiodns.error.DNSError) as nobody:
            await resolver.query_dns("nobody.test", "A")
        assert nobody.value.args[0] == aiodns.error.ARES_ENOTFOUND
        with pytest.raises(aiodns.error.DNSError) as nothing:
            await resolver.query_dns("mail.test", "A")
        assert nothing.value.args[0] == aiodns.error.ARES_ENODATA


async def test_a_long_answer_comes_over_tcp() -> None:
    async with resolving() as (resolver, responder):
        found = await resolver.query_dns("long.test", "TXT")
        assert found.answer[0].data.data == LONG
        assert responder.over_tcp == 1


async def test_hundreds_of_questions_at_once() -> None:
    async with resolving() as (resolver, responder):

        async def ask(number: int) -> str:
            found = await resolver.query_dns(f"host-{number}.test", "A")
            return found.answer[0].data.addr

        answers = await asyncio.gather(*(ask(number) for number in range(150)))
        assert answers == [f"198.51.100.{number}" for number in range(150)]
        assert len(set(responder.questions)) == 150


async def test_a_server_that_is_silent_is_a_timeout() -> None:
    async with resolving(timeout=0.05, tries=2) as (resolver, responder):
        responder.silent = True
        with pytest.raises(aiodns.error.DNSError) as silence:
            await resolver.query_dns("both.test", "A")
        assert silence.value.args[0] == aiodns.error.ARES_ETIMEOUT
        while len(responder.questions) < 2:
            await asyncio.sleep(0.001)
        assert responder.questions == ["both.test"] * 2


async def test_a_cancelled_question_leaves_the_resolver_usable() -> None:
    async with resolving() as (resolver, responder):
        responder.silent = True
        question = asyncio.ensure_future(resolver.query_dns("both.test", "A"))
        await responder.asked.wait()
        question.cancel()
        with pytest.raises(asyncio.CancelledError):
            await question
        responder.silent = False
        found = await resolver.query_dns("host-7.test", "A")
        assert found.answer[0].data.addr == "198.51.100.7"


async def test_closing_ends_the_questions_that_are_open() -> None:
    async with resolving() as (resolver, responder):
        responder.silent = True
        question = asyncio.ensure_future(resolver.query_dns("both.test", "A"))
        await responder.asked.wait()
        await resolver.close()
        with pytest.raises(aiodns.error.DNSError) as ended:
            await question
        assert ended.value.args[0] == aiodns.error.ARES_ECANCELLED
