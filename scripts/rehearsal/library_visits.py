"""Requests to the web framework: right ones of each kind, and wrong ones, as there are some."""

from __future__ import annotations

from typing import Any

import hoopsnake
from hoopsnake.web.middleware import CORSMiddleware, GZipMiddleware
from scripts.rehearsal.amount import Amount, expect
from scripts.rehearsal.library import BOOKS, app
from scripts.rehearsal.serving import serving

BOOK = {
    "title": "A new one",
    "pages": 321,
    "authors": [{"name": "Ann Onymous", "born": "1950-02-01"}, {"name": "Bob"}],
    "tags": ["new", "shelf"],
}
PICTURE = bytes(range(256)) * 150
IDENTIFIED = "/identified/6f9619ff-8b86-4d01-b42d-00cf4fc964ff/2026-02-01"

# What is asked, what of it is the status, and how often of a hundred times.
Visit = tuple[str, str, dict[str, Any], int, int]
VISITS: tuple[Visit, ...] = (
    ("GET", "/books/7?currency=CHF", {}, 200, 24),
    ("GET", "/plain", {}, 200, 12),
    ("GET", "/lending/me", {"headers": {"cookie": "card=Ann", "accept-language": "fr"}}, 200, 10),
    ("POST", "/books", {"json": BOOK}, 201, 14),
    ("GET", "/books?least=104&tag=a&tag=b", {}, 200, 5),
    ("GET", f"{IDENTIFIED}?weight=2.25", {}, 200, 6),
    ("DELETE", "/lending/12", {}, 204, 4),
    ("GET", "/lines", {}, 200, 3),
    ("POST", "/readers", {"data": {"name": "Bob B", "age": "40", "interests": ["a", "b"]}}, 200, 6),
    (
        "POST",
        "/covers",
        {"files": {"cover": ("a.png", PICTURE)}, "data": {"title": "sea"}},
        200,
        3,
    ),
    ("PUT", "/sync/name%20two", {}, 200, 2),
    ("GET", "/books/seven", {}, 422, 3),
    ("POST", "/books", {"json": {**BOOK, "pages": 0, "authors": [{}]}}, 422, 2),
    ("POST", "/books", {"content": b"{", "headers": {"content-type": "application/json"}}, 422, 1),
    ("POST", "/readers", {"data": {"name": "Bob B", "age": "old"}}, 422, 1),
    ("GET", "/books/99", {}, 404, 2),
    ("GET", "/shelves", {}, 404, 1),
    ("PATCH", "/books", {}, 405, 1),
)


def in_turn() -> list[Visit]:
    """A hundred visits, as often as each is wanted, well mixed and always in one order."""
    hundred = [visit for visit in VISITS for _ in range(visit[4])]
    return [hundred[number * 37 % len(hundred)] for number in range(len(hundred))]


async def run(amount: Amount) -> None:
    """The framework under our server, and with middleware around it, which makes it plain ASGI."""
    expect(len(in_turn()) == 100, "the visits are not a hundred")
    async with serving(app) as url:
        await visits(amount, url, 5_000)
    around = CORSMiddleware(GZipMiddleware(app), allow_origins=["http://localhost"])
    async with serving(around) as url:
        await visits(amount, url, 1_000)


async def visits(amount: Amount, url: str, usual: int) -> None:
    """Some at once, by one client."""
    hundred = in_turn()
    async with hoopsnake.Client(base_url=url) as client:

        async def once(number: int) -> None:
            method, path, options, status, _ = hundred[number % len(hundred)]
            got = await client.request(method, path, **options)
            expect(got.status_code == status, f"{method} {path}: {got.status_code}, {got.text}")

        await amount.repeat(usual, once, at_once=24)
        expect(len((await client.get("/books")).json()) == len(BOOKS), "books were lost")
