"""The page for an exception: when it takes a response's place, and what is on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from hoopsnake._development.error_page import error_page
from hoopsnake._development.frames import failures
from hoopsnake._development.stand_in import WithErrorPage
from hoopsnake.web import App, PlainTextResponse, Request, Response, StreamingResponse, TestClient

SCOPE = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}


def application() -> App:
    app = App()

    @app.get("/fails")
    async def fails() -> None:
        raise LookupError("nothing there")

    @app.get("/answers-500")
    async def answers() -> Response:
        return PlainTextResponse("my own", 500)

    @app.get("/streams-500")
    async def streams(request: Request) -> Response:
        async def pieces() -> AsyncIterator[str]:
            yield "a"
            yield "b"

        return StreamingResponse(pieces(), 500)

    @app.get("/breaks-off")
    async def breaks_off() -> Response:
        async def pieces() -> AsyncIterator[str]:
            yield "first"
            raise LookupError("too late for a page")

        return StreamingResponse(pieces())

    return app


@pytest.fixture
def client() -> Any:
    with TestClient(
        WithErrorPage(application()),
        raise_server_exceptions=False,
        headers={"accept": "text/html,*/*"},
    ) as client:
        yield client


def test_an_exception_takes_the_place_of_the_frameworks_500(client: TestClient) -> None:
    page = client.get("/fails")

    assert page.status_code == 500
    assert page.headers["cache-control"] == "no-store"
    assert "<h1>LookupError</h1>" in page.text
    assert "Internal Server Error" not in page.text


def test_a_500_that_nobody_raised_is_left_alone(client: TestClient) -> None:
    assert client.get("/answers-500").text == "my own"
    assert client.get("/streams-500").text == "ab"
    assert client.get("/nothing").json() == {"detail": "Not Found"}


def test_a_response_that_has_begun_breaks_off(client: TestClient) -> None:
    with pytest.raises(Exception, match="broke off"):
        client.get("/breaks-off")


def test_an_exception_of_an_application_without_a_framework_is_shown() -> None:
    async def plain(scope: Any, receive: Any, send: Any) -> None:
        raise KeyError("plain")

    with TestClient(WithErrorPage(plain), raise_server_exceptions=False) as client:
        assert "KeyError: 'plain'" in client.get("/").text


def raised(call: Callable[[], object]) -> Exception:
    """Return what a call raises."""
    with pytest.raises(Exception) as caught:
        call()
    return caught.value


def test_a_chain_is_told_from_what_came_out_to_what_caused_it() -> None:
    def chain() -> None:
        try:
            try:
                {}["a"]
            except KeyError as error:
                raise ValueError("second") from error
        except ValueError:
            raise OSError("third")  # noqa: B904

    told = [(each.kind, each.relation) for each in failures(raised(chain))]
    assert told == [("OSError", ""), ("ValueError", "context"), ("KeyError", "cause")]


def test_the_members_of_a_group_are_told() -> None:
    group = ExceptionGroup("both", [ValueError("one"), KeyError("two")])
    assert [each.relation for each in failures(group)] == ["", "member", "member"]
    assert "One of the group" in error_page(group, SCOPE)


def test_own_frames_are_open_and_those_of_libraries_folded() -> None:
    import json

    error = raised(lambda: json.loads("{"))
    (failure,) = failures(error)
    assert failure.frames[0].is_own
    assert not failure.frames[-1].is_own
    page = error_page(error, SCOPE)
    assert "frames of libraries" in page


def test_an_exception_without_source_or_text_is_shown_still() -> None:
    class Unsayable(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def no_source() -> None:
        exec(compile("raise error", "<made up>", "exec"), {"error": Unsayable()})

    page = error_page(raised(no_source), SCOPE)
    assert "its text cannot be had: RuntimeError" in page
    assert "Its source is not to be had" in page


def test_an_exception_that_caused_itself_is_told_once() -> None:
    error = ValueError("round")
    other = KeyError("and round")
    error.__cause__, other.__cause__ = other, error
    assert len(list(failures(error))) == 2
