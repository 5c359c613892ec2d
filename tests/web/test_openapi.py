"""The OpenAPI document of the same application: FastAPI's and ours."""

from __future__ import annotations

from typing import Any

import fastapi
import pytest
from twins import make

from hoopsnake import web

OURS: dict[str, Any] = make(web).openapi()
THEIRS: dict[str, Any] = make(fastapi).openapi()


@pytest.mark.parametrize("path", sorted(THEIRS["paths"]))
def test_a_path_is_described_alike(path: str) -> None:
    assert OURS["paths"][path] == THEIRS["paths"][path]


@pytest.mark.parametrize("name", sorted(THEIRS["components"]["schemas"]))
def test_a_schema_is_alike(name: str) -> None:
    ours = dict(OURS["components"]["schemas"][name])
    for each in ours.get("properties", {}).values():
        # FastAPI drops everything that is null, and this is.
        if each.get("default", ...) is None:
            del each["default"]
    theirs = dict(THEIRS["components"]["schemas"][name])
    # The order of names says nothing.
    assert set(ours.pop("required", ())) == set(theirs.pop("required", ()))
    assert ours == theirs


def test_nothing_is_described_that_is_not_there() -> None:
    assert OURS["paths"].keys() == THEIRS["paths"].keys()
    assert OURS["components"]["schemas"].keys() == THEIRS["components"]["schemas"].keys()
    assert OURS["openapi"] == "3.1.0"
