"""What FastAPI's users know: the same application answers the same."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import fastapi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twins import ask, make

import hoopsnake
from hoopsnake import web

OURS = make(web)
THEIRS = make(fastapi)

ITEM = {"name": "tea", "price": 2}


def check(method: str, url: str, **options: Any) -> None:
    """Ask both, and compare."""

    async def both() -> None:
        ours = await ask(OURS, method, url, **options)
        assert ours == await ask(THEIRS, method, url, **options), f"{method} {url} {options}"

    hoopsnake.run(both())


@pytest.mark.parametrize(
    "url",
    [
        "/numbers/7",
        "/numbers/x?x=y&flag=z&low=3&step=8",
        "/numbers/1?x=1e3&flag=off&low=10&step=14",
        "/numbers/1?low=11&flag=",
        "/numbers/1.0",
        "/numbers/1?x=nan",
        "/numbers/1?x=1&x=2",
        "/numbers/99999999999999999999999",
        "/texts",
        "/texts?a=",
        "/texts?a=b&short=x&like=aab&o-ther=1",
        "/texts?a=%C3%BC&short=%C3%BC%C3%BC&like=aa",
        "/texts?a=b+c&short=abcde",
        "/lists?q=1&q=2",
        "/lists?q=1",
        "/lists?q=1&q=x&q=y",
        "/lists?q=1&q=2&q=3&q=4",
        "/lists",
        "/lists?q=1&q=2&names=a&names=&some=3&some=3",
        "/lists?q=1&q=2&some=x",
        "/choices/red?size=2",
        "/choices/bl'ue?kind=b",
        "/choices/green?size=3&kind=c",
        "/types?day=2026-01-02&at=2026-01-02T03:04:05Z&amount=1.50&either=5",
        "/types?day=x&at=x&key=x&amount=x",
        "/types?key=12345678-1234-5678-1234-567812345678&either=x",
        "/who",
        "/models",
        "/models?count=x",
        "/files/a/b%20c",
        "/files/",
        "/refused?status=418&words=tea",
        "/refused?status=404",
        "/nothing",
        "/texts/?a=b",
    ],
)
def test_a_url(url: str) -> None:
    check("GET", url)


@pytest.mark.parametrize(
    "headers",
    [
        [("x-token", "a"), ("many", "1"), ("many", "2"), ("cookie", "session=s; number=4")],
        [("x-token", "a"), ("x-token", "b"), ("cookie", 'number=x; session="q r"')],
        [("cookie", "session=1; session=2")],
        [],
    ],
)
def test_headers_and_cookies(headers: list[tuple[str, str]]) -> None:
    for url in ("/fields", "/who?page=3"):
        check("GET", url, headers=headers)


@pytest.mark.parametrize(
    ("method", "url", "content"),
    [
        ("POST", "/items", ITEM),
        ("POST", "/items", {"name": "t", "price": 0, "tags": [1], "when": "x"}),
        ("POST", "/items", {}),
        ("POST", "/items", []),
        ("POST", "/items", None),
        ("POST", "/items", {**ITEM, "more": 1, "when": "2026-01-02T03:04:05Z"}),
        ("POST", "/stored", ITEM),
        ("PUT", "/two/1", {"item": ITEM, "other": ITEM, "note": "n"}),
        ("PUT", "/two/0", {"item": {"name": "x"}, "note": 1}),
        ("PUT", "/two/x", {}),
        ("PUT", "/embedded", {"item": ITEM}),
        ("PUT", "/embedded", ITEM),
        ("POST", "/maybe", None),
        ("POST", "/maybe", ITEM),
        ("DELETE", "/items", ITEM),
    ],
)
def test_a_body(method: str, url: str, content: Any) -> None:
    check(method, url, json=content)


def test_no_body_at_all() -> None:
    for method, url in (
        ("POST", "/items"),
        ("POST", "/maybe"),
        ("PUT", "/two/1"),
        ("PUT", "/embedded"),
    ):
        check(method, url)


texts = st.text(st.characters(blacklist_categories=["Cs"]), max_size=8) | st.sampled_from(
    [
        "1",
        "-1",
        "+1",
        " 1",
        "1.0",
        "1.",
        "1_0",
        "0x1",
        "1e3",
        "true",
        "ON",
        "t",
        "inf",
        "nan",
        "",
        "999999999999999999",
    ]
)


@settings(max_examples=150, deadline=None)
@given(n=texts, x=texts, flag=texts, low=texts, step=texts)
def test_any_number(n: str, x: str, flag: str, low: str, step: str) -> None:
    params = {"x": x, "flag": flag, "low": low, "step": step}
    # An empty segment, and one with a slash in it, FastAPI takes for another path.
    n = n.replace("/", "").strip(".") or "0"
    check("GET", f"/numbers/{quote(n, safe='')}", params=params)


@settings(max_examples=100, deadline=None)
@given(
    content=st.fixed_dictionaries(
        {},
        optional={
            "name": texts | st.none(),
            "price": st.floats(allow_nan=False, allow_infinity=False) | texts | st.none(),
            "tags": st.lists(texts | st.integers(), max_size=3) | st.none(),
            "when": texts | st.integers(-10, 10**12),
        },
    )
)
def test_any_body(content: dict[str, Any]) -> None:
    check("POST", "/items", json=content)
