"""CORS: the same answers as Starlette's, but for what is said where nothing is asked."""

from __future__ import annotations

from typing import Any

import pytest
from asgi_messages import ask, scope_of, text
from starlette.middleware.cors import CORSMiddleware as Theirs

import hoopsnake
from hoopsnake.web.middleware import CORSMiddleware

SETTINGS: list[dict[str, Any]] = [
    {},
    {"allow_origins": ["https://a.example", "https://b.example"]},
    {"allow_origins": ["*"]},
    {"allow_origins": ["*"], "allow_credentials": True, "allow_headers": ["*"]},
    {
        "allow_origin_regex": r"https://\w+\.example",
        "allow_methods": ["*"],
        "allow_headers": ["X-One", "x-two"],
        "expose_headers": ["X-Three", "X-Four"],
        "max_age": 5,
        "allow_private_network": True,
    },
    {"allow_origins": ["https://a.example"], "allow_credentials": True, "allow_methods": ["PUT"]},
]
ORIGINS = ["https://a.example", "https://evil.test", "https://a.example.evil.test", "null"]
CORS_HEADERS = [
    f"access-control-{name}"
    for name in (
        "allow-origin",
        "allow-credentials",
        "expose-headers",
        "max-age",
        "allow-methods",
        "allow-private-network",
    )
]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize(
    "asked",
    [
        {"access_control_request_method": "GET"},
        {"access_control_request_method": "PUT"},
        {
            "access_control_request_method": "POST",
            "access_control_request_headers": "x-one, Content-Type,x-TWO",
        },
        {"access_control_request_method": "GET", "access_control_request_headers": "x-secret"},
        {"access_control_request_method": "GET", "access_control_request_private_network": "true"},
    ],
)
def test_a_browser_that_asks_before_is_answered(
    settings: dict[str, Any], origin: str, asked: dict[str, str]
) -> None:
    async def both() -> None:
        scope = scope_of("OPTIONS", origin=origin, **asked)
        ours = await ask(CORSMiddleware(text, **settings), scope)
        theirs = await ask(Theirs(text, **settings), scope)
        assert (ours.status, ours.body) == (theirs.status, theirs.body)
        for name in (*CORS_HEADERS, "vary", "content-length"):
            told, expected = ours.header(name), theirs.header(name)
            if name.endswith("allow-methods") and "*" in settings.get("allow_methods", ()):
                # Theirs has QUERY too, which no browser sends yet.
                expected = (expected or "").replace(", QUERY", "")
            assert told == expected, name
        names = (ours.header("access-control-allow-headers") or "").lower().split(", ")
        others = (theirs.header("access-control-allow-headers") or "").lower().split(", ")
        assert sorted(names) == sorted(others)

    hoopsnake.run(both())


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("origin", [*ORIGINS, None])
def test_an_answer_says_who_may_read_it(settings: dict[str, Any], origin: str | None) -> None:
    async def both() -> None:
        scope = scope_of("GET", **({} if origin is None else {"origin": origin}))
        ours = await ask(CORSMiddleware(text, **settings), scope)
        theirs = await ask(Theirs(text, **settings), scope)
        assert ours.body == b"ok"
        allowed = ours.header("access-control-allow-origin")
        assert allowed == theirs.header("access-control-allow-origin")
        if allowed is not None:
            for name in CORS_HEADERS:
                assert ours.header(name) == theirs.header(name)
        # What is the same for everybody does not vary.
        is_for_all = settings.get("allow_origins") == ["*"] and "allow_credentials" not in settings
        assert ours.header("vary") == (None if is_for_all else "Origin")

    hoopsnake.run(both())


def test_an_origin_that_is_refused_is_told_nothing() -> None:
    async def check() -> None:
        app = CORSMiddleware(text, allow_origins=["https://a.example"], allow_credentials=True)
        answer = await ask(app, scope_of("GET", origin="https://evil.test"))
        assert answer.header("access-control-allow-origin") is None
        assert answer.header("access-control-allow-credentials") is None

    hoopsnake.run(check())
