"""Forms and uploads: answered as FastAPI answers, and never with a 500."""

from __future__ import annotations

import gc
import warnings
from typing import Annotated, Any

import fastapi
import pytest
from asgi_client import request
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from twins import ask, make

import hoopsnake
from hoopsnake import web
from hoopsnake.web import App, File, Form, UploadFile, WebError

OURS = make(web)
THEIRS = make(fastapi)
MULTIPART = {"content-type": "multipart/form-data; boundary=x"}
URLENCODED = {"content-type": "application/x-www-form-urlencoded"}

PICTURE = ("picture.png", b"\x89PNG", "image/png")
EMPTY = ("", b"", "application/octet-stream")


def shown(answer: tuple[int, Any, dict[str, str]]) -> tuple[int, Any, dict[str, str]]:
    """Leave out how a file or an exception is shown in an error: ours say more of it."""
    status, content, headers = answer
    for error in content if status == 422 else ():
        error.pop("ctx", None)
        if not isinstance(error["input"], str):
            error["input"] = None
    return status, content, headers


def check(url: str, **options: Any) -> None:
    """Ask both, and compare."""

    async def both() -> None:
        ours = shown(await ask(OURS, "POST", url, **options))
        theirs = shown(await ask(THEIRS, "POST", url, **options))
        if theirs[0] == 500:
            # FastAPI cannot show bytes that are no UTF-8 in its answer.
            assert ours[0] == 422
        else:
            assert ours == theirs, f"{url} {options}"

    hoopsnake.run(both())


@pytest.mark.parametrize("url", ["/form", "/form/one", "/form/model", "/form/old", "/form/depends"])
@pytest.mark.parametrize(
    "data",
    [
        {"name": "Ann", "age": "7"},
        {"name": "Ann", "age": "7", "tags": ["a", "b"], "some": ["1", "1", "2"], "o-ther": "abc"},
        {"name": "A", "age": "x", "tags": "a", "agreed": "on", "nick": "N", "second-name": "S"},
        {"name": "", "age": "", "tags": "", "nick": ""},
        {"name": ["Bob", "Ann"], "age": "2", "some": ["1", "2", "3"], "o-ther": "abcd"},
        {"name": "Änn & Bob=+%41", "age": " 7 ", "some": "x", "agreed": "perhaps"},
        {},
    ],
)
def test_fields_are_the_same_in_both_kinds_of_form(url: str, data: dict[str, Any]) -> None:
    check(url, data=data)
    check(url, data=data, files={"nobody": PICTURE})


@pytest.mark.parametrize("data", [{"code": "7"}, {"code": "7", "more": "1"}, {"code": "x"}, {}])
def test_a_model_may_forbid_what_it_does_not_know(data: dict[str, str]) -> None:
    check("/form/strict", data=data)


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("/upload", {"files": {"picture": PICTURE}}),
        ("/upload", {"files": {"picture": ("ü '.txt", b"", "text/plain")}}),
        ("/upload", {"files": [("picture", PICTURE), ("picture", ("b", b"2"))]}),
        ("/upload", {"files": {"picture": EMPTY}}),
        ("/upload", {"files": {"other": PICTURE}}),
        ("/upload", {"data": {"picture": "text"}}),
        ("/upload", {}),
        ("/upload/maybe", {}),
        ("/upload/maybe", {"files": {"picture": EMPTY}}),
        ("/upload/maybe", {"files": {"picture": PICTURE}}),
        ("/upload/several", {"files": [("pictures", PICTURE), ("pictures", ("b", b"2"))]}),
        ("/upload/several", {"files": [("pictures", EMPTY)], "data": {"note": "n"}}),
        ("/upload/several", {"data": {"note": "n", "pictures": "text"}}),
        ("/upload/bytes", {"files": {"data": PICTURE}}),
        ("/upload/bytes", {"files": [("data", PICTURE), ("more", PICTURE), ("more", ("b", b"2"))]}),
        ("/upload/bytes", {"files": {"data": PICTURE, "least": ("b", b"22")}}),
        ("/upload/bytes", {"data": {"data": "text", "more": ["a", "bc"], "least": "1"}}),
        ("/upload/mixed/3", {"files": {"pic-ture": PICTURE}, "data": {"title": "Tea"}}),
        ("/upload/mixed/x?page=y", {"files": {"picture": PICTURE}, "data": {"title": "T"}}),
        ("/upload/plain", {"files": {"picture": PICTURE}}),
        ("/upload/plain", {"files": {"picture": ("large", b"ab" * 800_000)}}),
        ("/upload", {"files": {"picture": ("large", b"ab" * 800_000)}}),
        ("/upload/bytes", {"files": {"data": ("large", b"ab" * 800_000)}}),
    ],
)
def test_an_upload(url: str, options: dict[str, Any]) -> None:
    check(url, **options)


def test_a_body_that_is_no_form_has_no_fields() -> None:
    for url in ("/form", "/form/model", "/upload", "/upload/maybe"):
        check(url, json={"name": "Ann", "age": 7})
        check(url)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
names = st.sampled_from(["name", "age", "tags", "some", "o-ther", "agreed", "nick", "x", ""])
values = texts | st.sampled_from(["1", "7", " 3", "1.0", "true", "off", "", "null", "[1]", "%41"])


@settings(max_examples=120, deadline=None)
@given(pairs=st.lists(st.tuples(names, values), max_size=6))
def test_any_fields(pairs: list[tuple[str, str]]) -> None:
    data: dict[str, Any] = {}
    for name, value in pairs:
        data.setdefault(name, []).append(value)
    for url in ("/form", "/form/model", "/form/read"):
        check(url, data=data)
    # A name of nothing python-multipart takes for none; of others httpx writes as browsers do.
    named = {name: values for name, values in data.items() if name}
    check("/form", data=named, files={"nobody": PICTURE})


content = st.binary(max_size=30) | st.sampled_from([b"", b"\r\n", b"\r\n--", b"--x", b"\xff\x00"])


@settings(max_examples=80, deadline=None)
@given(
    files=st.lists(
        st.tuples(
            st.sampled_from(["picture", "pictures", "data", "more", "least", "pic-ture"]),
            st.tuples(
                texts.filter(lambda name: name and not set('"%\r\n\0') & set(name)),
                content,
                st.just("a/b"),
            ),
        ),
        max_size=4,
    )
)
def test_any_files(files: list[Any]) -> None:
    for url in ("/upload", "/upload/maybe", "/upload/several", "/upload/bytes", "/upload/mixed/1"):
        check(url, files=files)


BODY = (
    b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nAnn\r\n'
    b'--x\r\nContent-Disposition: form-data; name="age"\r\n\r\n7\r\n'
    b'--x\r\nContent-Disposition: form-data; name="picture"; filename="f"\r\n'
    b"Content-Type: text/plain\r\n\r\nsome\r\n--x--\r\n"
)


@settings(max_examples=150, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, len(BODY)), st.integers(0, 9), content), max_size=3),
    url=st.sampled_from(["/form", "/form/model", "/form/strict", "/upload", "/upload/bytes"]),
    kind=st.sampled_from([MULTIPART, URLENCODED]) | texts.map(lambda t: {"content-type": f"{t}"}),
)
def test_no_bytes_are_answered_with_500(
    changes: list[tuple[int, int, bytes]], url: str, kind: dict[str, str]
) -> None:
    body = BODY
    for at, length, instead in changes:
        body = body[:at] + instead + body[at + length :]
    headers = {name: value.encode("latin-1", "ignore") for name, value in kind.items()}

    async def asked() -> None:
        answer = await request(OURS, "POST", url, content=body, headers=headers)
        assert answer.status_code in (200, 400, 413, 422), answer.text
        if answer.status_code in (400, 413):
            assert " at byte " in answer.json()["detail"]

    hoopsnake.run(asked())


@pytest.mark.parametrize(
    ("headers", "body", "status", "told"),
    [
        ({"content-type": "multipart/form-data"}, b"", 400, "needs a boundary of 1 to 70"),
        (MULTIPART, b"name=Ann", 400, "does not begin the body, at byte 0"),
        (MULTIPART, BODY[:54], 400, 'within the part "name", at byte 54'),
        (MULTIPART, BODY.replace(b"Ann", b"A\xffn"), 400, '"name" is not valid UTF-8, at byte 53'),
        (MULTIPART, BODY.replace(b' name="age"', b""), 400, "has no name, at byte 62"),
        (URLENCODED, b"name=Ann&age=%ff", 400, '"age" is not valid UTF-8, at byte 9'),
        (URLENCODED, b"name=Ann&" + b"a=1&" * 1000, 413, "more than 1000 fields, at byte 4005"),
        (MULTIPART, BODY.replace(b"Ann", b"A" * 2**20 + b"n"), 413, '"name" has more than 1048576'),
    ],
)
async def test_what_is_broken_is_told_with_its_place(
    headers: dict[str, str], body: bytes, status: int, told: str
) -> None:
    answer = await request(OURS, "POST", "/form", content=body, headers=headers)
    assert answer.status_code == status
    assert answer.json()["detail"].startswith("The form cannot be read: ")
    assert told in answer.json()["detail"]


def limited() -> App:
    app = App(form_limits={"max_fields": 2, "max_part_size": 5})

    @app.post("/")
    async def of_the_app(name: Annotated[str, Form()]) -> str:
        return name

    @app.post("/route", form_limits={"max_fields": 3, "max_files": 0})
    async def of_the_route(name: Annotated[str, Form()]) -> str:
        return name

    @app.post("/call")
    async def of_the_call(request: web.Request) -> int:
        async with request.form(max_fields=1) as form:
            return len(form)

    return app


async def test_limits_are_of_the_application_the_route_or_the_call() -> None:
    app = limited()

    async def status(path: str, count: int, value: str = "a", **options: Any) -> int:
        data = {"name": [value] * count}
        return (await request(app, "POST", path, data=data, **options)).status_code

    assert [await status("/", 2), await status("/", 3)] == [200, 413]
    assert [await status("/route", 3), await status("/route", 4)] == [200, 413]
    assert [await status("/call", 1), await status("/call", 2)] == [200, 413]
    assert await status("/route", 1, "a" * 6) == 413
    assert await status("/route", 1, files={"f": PICTURE}) == 413
    with pytest.raises(WebError, match="no limit 'fields'"):
        App(form_limits={"fields": 1})  # type: ignore[typeddict-unknown-key]
    with pytest.raises(WebError, match="0 or more, not -1"):
        App(form_limits={"max_files": -1})


async def test_files_are_open_in_background_tasks_and_closed_behind_them() -> None:
    app = App()
    seen: list[Any] = []

    @app.post("/")
    async def take(large: UploadFile, small: UploadFile, tasks: web.BackgroundTasks) -> str:
        async def later() -> None:
            seen.append((len(await large.read()), await small.read()))

        tasks.add_task(later)
        seen.extend((large, small))
        return "taken"

    @app.post("/fails")
    async def fail(large: UploadFile) -> None:
        seen.append(large)
        raise RuntimeError("as it was meant to")

    files = {"large": ("a", b"x" * 2_000_000), "small": ("b", b"y")}
    assert (await request(app, "POST", "/", files=files)).text == '"taken"'
    assert seen[2] == (2_000_000, b"y")
    assert seen[0].file.closed and seen[1].file.closed
    assert (await request(app, "POST", "/fails", files=files)).status_code == 500
    assert seen[3].file.closed


async def test_the_file_of_a_form_that_breaks_off_is_closed() -> None:
    app = App()

    @app.post("/")
    async def take(large: UploadFile) -> str:
        return "taken"

    part = b'--x\r\nContent-Disposition: form-data; name="large"; filename="f"\r\n\r\n'
    with warnings.catch_warnings():
        # What is left open says so when it is found.
        warnings.simplefilter("error", ResourceWarning)
        answer = await request(app, "POST", "/", content=part + b"x" * 2_000_000, headers=MULTIPART)
        gc.collect()
    assert (answer.status_code, "ends within the part" in answer.text) == (400, True)


async def test_an_upload_is_read_written_and_gone_through() -> None:
    app = App()

    @app.post("/")
    async def change(file: UploadFile) -> Any:
        first = await file.read(2)
        await file.seek(0)
        await file.write(b"XY")
        left = await file.read(3)
        await file.seek(0)
        return [first.decode(), left.decode(), (await file.read()).decode()[:4], file.size]

    for size in (10, 3_000_000):
        answer = await request(app, "POST", "/", files={"file": ("f", b"ab" * (size // 2))})
        assert answer.json() == ["ab", "aba", "XYab", size]


async def test_the_same_form_is_read_once() -> None:
    app = App()

    @app.post("/")
    async def twice(request: web.Request, name: Annotated[str, Form()]) -> Any:
        one, two = await request.form(), await request.form()
        with pytest.raises(RuntimeError, match="read before"):
            await request.body()
        return [one is two, one["name"], one.getlist("none"), name]

    @app.post("/behind")
    async def behind(request: web.Request) -> Any:
        body = await request.body()
        return [len(body), (await request.form())["name"]]

    assert (await request(app, "POST", "/", data={"name": "a"})).json() == [True, "a", [], "a"]
    assert (await request(app, "POST", "/behind", data={"name": "a"})).json() == [6, "a"]


class Note(BaseModel):
    """A body, or a form."""

    text: str


def test_what_cannot_be_is_told_where_it_is_declared() -> None:
    app = App()

    @app.post("/")
    async def both(note: Note, name: Annotated[str, Form()]) -> None: ...

    with pytest.raises(WebError, match="note is taken from a JSON body, and name from a form"):
        app.openapi()
    app = App()

    @app.websocket("/")
    async def form(socket: web.WebSocket, name: Annotated[str, Form()]) -> None: ...

    with pytest.raises(WebError, match="a WebSocket has no form"):
        app.openapi()


async def test_defaults_are_each_requests_own() -> None:
    app = App()

    @app.post("/")
    async def take(
        tags: Annotated[list[str], Form()] = [],  # noqa: B006
        made: Annotated[list[str], Form(default_factory=lambda: ["new"])] = ...,  # type: ignore[assignment]
        data: Annotated[bytes, File()] = b"",
    ) -> Any:
        tags.append("mine")
        return [tags, made, len(data)]

    for _ in range(2):
        answer = await request(app, "POST", "/", data={"x": "y"})
        assert answer.json() == [["mine"], ["new"], 0]


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        (b'filename="a%22b%0D%0A%41.txt"', 'a"b\r\n%41.txt'),
        (b'filename="a\\"b.txt"', 'a"b.txt'),
        (b"filename=plain.txt", "plain.txt"),
        (b"filename=\"e.txt\"; filename*=UTF-8''%e2%82%ac.txt", "€.txt"),
        ('filename="ü.txt"'.encode("latin-1"), "ü.txt"),
    ],
)
async def test_file_names_are_read_as_they_are_written(disposition: bytes, name: str) -> None:
    body = BODY.replace(b'filename="f"', disposition)
    answer = await request(OURS, "POST", "/upload", content=body, headers=MULTIPART)
    assert answer.json()[0] == name
