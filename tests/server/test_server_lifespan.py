"""The lifespan of a served application: startup, shutdown, state, and applications without one."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import pytest
from applications import body, hello, start
from served import Application, Message, Receive, Scope, Send, served

import hoopsnake
from hoopsnake import LifespanError

Mode = Literal["on", "off", "auto"]


def with_lifespan(history: list[Any], *answers: Message) -> Application:
    """An application that keeps what its lifespan was told, and gives these answers."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            return await hello(scope, receive, send)
        history.append(scope)
        for answer in answers:
            history.append(await receive())
            await send(answer)

    return app


COMPLETE = ({"type": "lifespan.startup.complete"}, {"type": "lifespan.shutdown.complete"})


@pytest.mark.parametrize("mode", ["on", "auto"])
async def test_the_application_is_told_of_start_and_end(mode: Mode) -> None:
    history: list[Any] = []
    async with served(with_lifespan(history, *COMPLETE), lifespan=mode) as server:
        scope, *events = history
        assert scope["type"] == "lifespan"
        assert scope["asgi"]["version"] == "3.0"
        assert set(scope) == {"type", "asgi", "state"}
        assert events == [{"type": "lifespan.startup"}]
        assert (await server.get("/x")).body == b"/x"
    assert history[1:] == [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]


async def test_switched_off_it_is_not_told() -> None:
    history: list[Any] = []
    async with served(with_lifespan(history, *COMPLETE), lifespan="off") as server:
        assert (await server.get("/x")).body == b"/x"
    assert history == []


async def test_no_request_is_answered_before_startup_is_complete() -> None:
    listening, go_on = asyncio.Event(), asyncio.Event()
    order: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            listening.set()
            await go_on.wait()
            order.append("started")
            await send(COMPLETE[0])
            await receive()
            order.append("stopped")
            await send(COMPLETE[1])
        else:
            order.append("request")
            await hello(scope, receive, send)

    async def start_up() -> None:
        await listening.wait()
        go_on.set()

    starting = asyncio.create_task(start_up())
    async with served(app, lifespan="on") as server:
        await server.get()
    await starting
    assert order == ["started", "request", "stopped"]


async def test_the_application_stops_after_its_last_request() -> None:
    order: list[str] = []
    begun = asyncio.Event()
    release = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for answer in COMPLETE:
                order.append((await receive())["type"])
                await send(answer)
        else:
            begun.set()
            await release.wait()
            order.append("answered")
            await hello(scope, receive, send)

    async with served(app) as server:
        answering = asyncio.create_task(server.get())
        await begun.wait()
        server.stop()
        await server.log.wait_for("Stopping")
        release.set()
        assert (await answering).status == 200
        await server.ended()
    assert order == ["lifespan.startup", "answered", "lifespan.shutdown"]


async def test_each_request_gets_a_shallow_copy_of_the_state() -> None:
    seen: list[dict[str, Any]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            scope["state"].update(name="shared", list=[1])
            await send(COMPLETE[0])
            await receive()
            await send(COMPLETE[1])
            return
        seen.append(dict(scope["state"]))
        scope["state"]["name"] = "changed"
        scope["state"]["list"].append(2)
        await hello(scope, receive, send)

    async with served(app) as server:
        await server.get()
        await server.get()
    assert [state["name"] for state in seen] == ["shared", "shared"]
    assert seen[0]["list"] is seen[1]["list"], "a copy, but a shallow one"


@pytest.mark.parametrize("mode", ["on", "auto"])
@pytest.mark.parametrize("message", [{}, {"message": "no database"}])
async def test_a_failed_startup_is_an_error_with_its_message(
    mode: Mode, message: dict[str, str]
) -> None:
    history: list[Any] = []
    failed = {"type": "lifespan.startup.failed", **message}
    with pytest.raises(LifespanError, match="startup failed") as caught:
        async with served(with_lifespan(history, failed), lifespan=mode):
            pytest.fail("it must not be served")
    assert ("no database" in str(caught.value)) == bool(message)


async def test_a_failed_startup_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})
        raise LookupError("no database")

    with pytest.raises(LifespanError, match="no database") as caught:
        async with served(app, lifespan="on"):
            pytest.fail("it must not be served")
    assert isinstance(caught.value.__cause__, LookupError)
    assert "failed at shutdown" not in caplog.text


async def test_an_exception_at_startup_is_an_error_when_a_lifespan_is_required() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        raise LookupError("no database")

    with pytest.raises(LifespanError) as caught:
        async with served(app, lifespan="on"):
            pytest.fail("it must not be served")
    assert isinstance(caught.value.__cause__, LookupError)


async def test_an_exception_at_startup_is_logged_otherwise() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            raise LookupError("no database")
        await hello(scope, receive, send)

    async with served(app, faulty=True, lifespan="auto") as server:
        assert (await server.get()).status == 200
    (fault,) = server.log.faults
    assert "lifespan failed at startup" in fault
    assert "LookupError: no database" in fault


async def returns_at_once(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await hello(scope, receive, send)


@pytest.mark.parametrize("app", [hello, returns_at_once])
async def test_an_application_without_a_lifespan_is_served_unless_it_is_required(
    app: Application,
) -> None:
    async with served(app, lifespan="auto") as server:
        assert (await server.get("/x")).body == b"/x"
        assert "lifespan" not in server.log.text
    with pytest.raises(LifespanError, match="does not support the lifespan protocol"):
        async with served(app, lifespan="on"):
            pytest.fail("it must not be served")


async def test_a_failed_shutdown_is_logged_with_its_message() -> None:
    failed = {"type": "lifespan.shutdown.failed", "message": "could not flush"}
    async with served(with_lifespan([], COMPLETE[0], failed), faulty=True) as server:
        await server.get()
    (fault,) = server.log.faults
    assert fault.endswith("lifespan failed at shutdown: could not flush")


async def test_an_exception_at_shutdown_is_logged() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(COMPLETE[0])
        await receive()
        raise LookupError("could not flush")

    async with served(app, faulty=True) as server:
        pass
    (fault,) = server.log.faults
    assert "lifespan failed at shutdown" in fault
    assert "LookupError: could not flush" in fault


async def test_a_shutdown_without_end_is_given_up() -> None:
    cancelled = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(COMPLETE[0])
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with served(app, faulty=True, graceful_timeout=0) as server:
        server.stop()
        await server.ended()
    assert cancelled.is_set()
    assert "lifespan failed at shutdown: not done within 1 s" in server.log.text


async def test_an_application_that_ends_its_lifespan_early_is_served_on() -> None:
    async with served(with_lifespan([], COMPLETE[0]), lifespan="on") as server:
        assert (await server.get("/x")).body == b"/x"


@pytest.mark.parametrize(
    "answer",
    [start(), body(), {"type": "lifespan.shutdown.complete"}, {"type": "nonsense"}, {}, None],
)
async def test_a_wrong_answer_is_told_to_the_application(answer: Any) -> None:
    errors: list[Exception] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await send(answer)
        except Exception as error:
            errors.append(error)
        await send(COMPLETE[0])
        await receive()
        await send(COMPLETE[1])

    async with served(app, lifespan="on"):
        pass
    assert len(errors) == 1


async def test_a_stop_during_startup_cancels_it() -> None:
    waiting = asyncio.Event()
    ended: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        waiting.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    serving = asyncio.create_task(hoopsnake.serve(app, hoopsnake.ServerConfig(port=0)))
    await waiting.wait()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert ended == ["cancelled"]
