"""`hoop openapi`: an application's OpenAPI document on standard output or in a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import SHOP, hoop


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(SHOP)
    return tmp_path


def test_the_document_is_printed_and_always_the_same(folder: Path) -> None:
    first = hoop("openapi", "shop", cwd=folder)

    assert (first.status, first.errors) == (0, "")
    document = json.loads(first.output)
    assert document["openapi"].startswith("3.1")
    assert document["info"]["title"] == "shop"
    assert set(document["paths"]) == {"/", "/admin/orders/{number}"}
    # In another process names have other hashes.
    assert hoop("openapi", "shop:app", cwd=folder).output == first.output


def test_the_document_goes_into_a_file(folder: Path) -> None:
    ending = hoop("openapi", "shop", "--output", "shop.json", cwd=folder)

    assert ending == (0, "", "")
    assert json.loads((folder / "shop.json").read_text())["info"]["title"] == "shop"


def test_a_file_that_cannot_be_written_is_told(folder: Path) -> None:
    ending = hoop("openapi", "shop", "--output", "nowhere/shop.json", cwd=folder)

    assert (ending.status, ending.output) == (1, "")
    assert ending.errors == (
        "hoop: error: nowhere/shop.json: cannot be written: No such file or directory\n"
    )


def test_what_has_no_document_is_told(folder: Path) -> None:
    (folder / "plain.py").write_text("async def app(scope, receive, send): ...\n")
    ending = hoop("openapi", "plain", cwd=folder)

    assert (ending.status, ending.output) == (2, "")
    assert "which has no openapi()" in ending.errors


def test_an_application_that_fails_as_it_is_imported_shows_its_own_frames(folder: Path) -> None:
    (folder / "broken.py").write_text("1 / 0\n")
    ending = hoop("openapi", "broken", cwd=folder)

    assert ending.status == 1
    assert "ZeroDivisionError" in ending.errors
    assert "hoopsnake" not in ending.errors
