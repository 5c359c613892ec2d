"""FastAPI's tutorial, chapter by chapter: the same program of ours, with either import.

`docs/guide/from-fastapi.md` lists what is the same, what is not, and what is not there.
"""

from functools import cache
from typing import Annotated, Any

import chapters_of_answers
import chapters_of_parameters
import pytest
import starlette.status
from two_frameworks import OURS, THEIRS, Chapter, Web

from hoopsnake.web import TestClient, WebSocketDisconnect

CHAPTERS = {
    chapter.name: chapter
    for chapter in (*chapters_of_parameters.CHAPTERS, *chapters_of_answers.CHAPTERS)
}
HEADERS = ("content-type", "allow", "location", "set-cookie", "x-a", "x-n", "x-stamp", "x-error")


@cache
def answers(name: str, is_ours: bool) -> list[Any]:
    """Ask the program of a chapter all that it is asked, in order."""
    chapter = CHAPTERS[name]
    with TestClient(chapter.make(_web(is_ours)), follow_redirects=False) as client:
        return [_asked(client, each) for each in chapter.asked]


def _web(is_ours: bool) -> Web:
    return OURS if is_ours else THEIRS


def _asked(client: TestClient, asked: Any) -> Any:
    method, path, json, headers, *_ = (
        ("GET", asked, None, None) if isinstance(asked, str) else (*asked, None, None)
    )
    response = client.request(method, path, json=json, headers=headers)
    try:
        content = response.json()
    except ValueError:
        content = response.text
    if response.status_code == 422:
        content = [_alike(each) for each in content["detail"]]
    told = {name: response.headers[name] for name in HEADERS if name in response.headers}
    if "location" in told:
        # Ours name no host.
        told["location"] = told["location"].removeprefix("http://testserver")
    if response.status_code == 204:
        # Nothing has no type.
        told.pop("content-type", None)
    if "allow" in told:
        # What answers GET answers HEAD too, of ours.
        told["allow"] = told["allow"].replace("GET, HEAD", "GET")
    return (response.status_code, content, told)


def _alike(error: dict[str, Any]) -> dict[str, Any]:
    """Leave out what pydantic words otherwise of JSON than of objects made of it.

    And all headers of the request, which FastAPI sends back where one of a model is missing.
    """
    names = ("type", "loc") if error["type"] == "missing" else ("type", "loc", "input")
    return {name: value for name, value in error.items() if name in names}


@pytest.mark.parametrize(
    ("name", "number"),
    [(chapter.name, n) for chapter in CHAPTERS.values() for n in range(len(chapter.asked))],
    ids=lambda value: value if isinstance(value, str) else str(value),
)
def test_an_answer_is_the_same(name: str, number: int) -> None:
    asked = CHAPTERS[name].asked[number]
    ours, theirs = answers(name, True)[number], answers(name, False)[number]
    assert ours == theirs, f"{name}: {asked}"


@pytest.mark.parametrize("name", CHAPTERS)
def test_the_document_is_the_same(name: str) -> None:
    chapter: Chapter = CHAPTERS[name]
    ours, theirs = (_compared(chapter.make(web).openapi()) for web in (OURS, THEIRS))
    for path in theirs["paths"]:
        assert ours["paths"].get(path) == theirs["paths"][path]
    assert ours == theirs


def _compared(document: dict[str, Any]) -> dict[str, Any]:
    """Take out what says nothing: FastAPI drops defaults that are null."""
    for schema in document.get("components", {}).get("schemas", {}).values():
        for each in schema.get("properties", {}).values():
            if each.get("default", ...) is None:
                del each["default"]
    del document["info"]
    return document


def _with_websockets(web: Web) -> Any:
    app = web.App()

    def token(token: str | None = None, session: Annotated[str | None, web.Cookie()] = None) -> str:
        if token is None and session is None:
            raise web.WebSocketException(web.status.WS_1008_POLICY_VIOLATION, "who are you?")
        return session or token

    @app.websocket("/rooms/{number}")
    async def room(
        websocket: web.WebSocket,
        number: int,
        token: Annotated[str, web.Depends(token)],
        q: int = 0,
    ) -> None:
        await websocket.accept(subprotocol=websocket.headers.get("sec-websocket-protocol"))
        await websocket.send_json([number, token, q])
        try:
            while True:
                await websocket.send_text((await websocket.receive_text()).upper())
        except web.WebSocketDisconnect as left:
            assert left.code == 1001

    return app


@pytest.mark.parametrize("is_ours", [True, False], ids=["ours", "theirs"])
def test_websockets_take_parameters_and_dependencies(is_ours: bool) -> None:
    with TestClient(_with_websockets(_web(is_ours))) as client:
        with client.websocket_connect("/rooms/3?token=t&q=5", ["chat"]) as websocket:
            assert websocket.accepted_subprotocol == "chat"
            assert websocket.receive_json() == [3, "t", 5]
            websocket.send_text("ü")
            assert websocket.receive_text() == "Ü"
            websocket.close(1001)
        with client.websocket_connect("/rooms/3", cookies={"session": "s"}) as websocket:
            assert websocket.receive_json() == [3, "s", 0]
            websocket.close(1001)
        # With what is wrong in itself FastAPI closes in a way that ASGI does not allow.
        wrong = ("/rooms/x?token=t", "/rooms/3?token=t&q=x") if is_ours else ()
        for path in ("/rooms/3", *wrong, "/nowhere"):
            with pytest.raises(WebSocketDisconnect):
                client.websocket_connect(path)


@pytest.mark.parametrize("is_ours", [True, False], ids=["ours", "theirs"])
def test_a_dependency_is_overridden_and_startup_can_be_tested(is_ours: bool) -> None:
    web = _web(is_ours)

    def settings() -> str:
        return "production"

    app = web.App()

    @app.get("/")
    async def shown(settings: Annotated[str, web.Depends(settings)]) -> str:
        return settings

    app.dependency_overrides[settings] = lambda: "test"
    with TestClient(app) as client:
        assert client.get("/").json() == "test"
        app.dependency_overrides.clear()
        assert client.get("/").json() == "production"


def test_the_metadata_of_the_document_is_the_same() -> None:
    told = {
        "title": "shop",
        "summary": "A shop.",
        "description": "It sells *tea*.",
        "version": "2.5.0",
        "terms_of_service": "http://shop.test/terms",
        "contact": {"name": "me", "url": "http://shop.test/", "email": "me@shop.test"},
        "license_info": {"name": "MIT", "identifier": "MIT"},
        "openapi_tags": [{"name": "tea", "description": "Hot."}],
        "servers": [{"url": "http://shop.test", "description": "this one"}],
    }
    ours, theirs = (web.App(**told).openapi() for web in (OURS, THEIRS))
    assert ours == theirs


def test_every_status_has_the_name_that_programs_know() -> None:
    theirs = {name: value for name, value in _statuses(starlette.status).items() if value != 306}
    assert theirs.items() <= _statuses(OURS.status).items()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::starlette.exceptions.StarletteDeprecationWarning")
def test_the_older_names_are_there_too() -> None:
    for name in (
        "HTTP_413_REQUEST_ENTITY_TOO_LARGE",
        "HTTP_414_REQUEST_URI_TOO_LONG",
        "HTTP_416_REQUESTED_RANGE_NOT_SATISFIABLE",
        "HTTP_422_UNPROCESSABLE_ENTITY",
    ):
        assert getattr(OURS.status, name) == getattr(starlette.status, name)


def _statuses(module: Any) -> dict[str, int]:
    return {n: value for n, value in vars(module).items() if n.startswith(("HTTP_", "WS_"))}
