"""`hoop routes`: what an application answers, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import SHOP, hoop


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(SHOP)
    return tmp_path


def test_the_table_has_a_line_for_each_route(folder: Path) -> None:
    ending = hoop("routes", "shop", cwd=folder)

    assert (ending.status, ending.errors) == (0, "")
    rows = [line.split(maxsplit=4) for line in ending.output.splitlines()]
    assert rows[0] == ["METHODS", "PATH", "NAME", "HANDLER", "DEPENDENCIES"]
    assert rows[1] == ["GET,HEAD", "/", "home", "shop.home"]
    order = ["POST", "/admin/orders/{number:int}", "order", "shop.place"]
    assert rows[2] == [*order, "shop.guard, shop.clock, shop.customer"]
    assert rows[3] == ["WEBSOCKET", "/admin/news", "news", "shop.news", "shop.guard"]
    assert rows[4][:2] == ["MOUNT", "/old/*"]


def test_json_has_the_same(folder: Path) -> None:
    rows = json.loads(hoop("routes", "shop:app", "--json", cwd=folder).output)

    assert rows[1] == {
        "methods": ["POST"],
        "path": "/admin/orders/{number:int}",
        "name": "order",
        "handler": "shop.place",
        "dependencies": ["shop.guard", "shop.clock", "shop.customer"],
    }
    assert len(rows) == 4


def test_what_has_no_routes_is_told(folder: Path) -> None:
    (folder / "plain.py").write_text("async def app(scope, receive, send): ...\n")
    ending = hoop("routes", "plain", cwd=folder)
    assert (ending.status, ending.output) == (2, "")
    assert "whose routes are not known" in ending.errors

    missing = hoop("routes", "nowhere:app", cwd=folder)
    assert missing.status == 2
    assert "there is no module 'nowhere'" in missing.errors


def test_a_factory_and_a_folder_are_named_as_for_serve(folder: Path) -> None:
    (folder / "made.py").write_text("import shop\ndef create():\n    return shop.app\n")
    above = folder.parent
    ending = hoop(
        "routes", "made:create", "--factory", "--app-dir", folder.name, "--json", cwd=above
    )
    assert len(json.loads(ending.output)) == 4


def test_a_route_that_cannot_work_is_told(folder: Path) -> None:
    (folder / "wrong.py").write_text(
        "from hoopsnake.web import App\n"
        "app = App()\n"
        "@app.get('/')\n"
        "async def home(*everything: int) -> None: ...\n"
    )
    ending = hoop("routes", "wrong", cwd=folder)
    assert (ending.status, ending.output) == (1, "")
    assert "cannot be filled from a request" in ending.errors
