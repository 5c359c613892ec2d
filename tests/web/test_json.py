"""JSON of what handlers return."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import math
import pathlib
import uuid
from typing import Any

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoopsnake.web._json import to_json

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(blacklist_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(blacklist_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(plain)
def test_what_json_can_say_is_read_back_the_same(value: Any) -> None:
    assert json.loads(to_json(value)) == value


class Colour(enum.Enum):
    red = "r"


class Number(enum.IntEnum):
    one = 1


class Text(str):
    __slots__ = ()


class Model(pydantic.BaseModel):
    a: int = 1
    day: datetime.date = datetime.date(2026, 1, 2)


class Struct(msgspec.Struct):
    a: int = 1


@dataclasses.dataclass
class Data:
    x: Any


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Colour.red, '"r"'),
        (Number.one, "1"),
        (Text("x"), '"x"'),
        ([Model(), Struct(), Data((1, {2}))], '[{"a":1,"day":"2026-01-02"},{"a":1},{"x":[1,[2]]}]'),
        (datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC), '"2026-01-02T03:04:05Z"'),
        (datetime.time(3, 4, 5, 600), '"03:04:05.000600"'),
        (datetime.timedelta(days=1, hours=2, seconds=3.5), '"P1DT2H3.5S"'),
        (-datetime.timedelta(minutes=1), '"-PT1M"'),
        (datetime.timedelta(0), '"PT0S"'),
        (decimal.Decimal("1.50"), '"1.50"'),
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (pathlib.PurePosixPath("/a"), '"/a"'),
        (b"\xc3\xa4", '"ä"'),
        (2**70, str(2**70)),
        (math.inf, "null"),
        (
            {2: "a", None: "b", True: "c", Colour.red: 1.0},
            '{"2":"a","null":"b","true":"c","r":1.0}',
        ),
        ('"\\\n\x00\x7f', '"\\"\\\\\\n\\u0000\x7f"'),
    ],
)
def test_values_that_json_has_no_word_for(value: Any, text: str) -> None:
    assert to_json(value).decode() == text


def test_what_cannot_be_written_says_why() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(ValueError, match="holds itself"):
        to_json(endless)
    with pytest.raises(TypeError, match="a object cannot be written as JSON"):
        to_json({"a": [object()]})
    with pytest.raises(TypeError, match="tuple cannot be a key"):
        to_json({(1,): 2})
    with pytest.raises(UnicodeEncodeError):
        to_json("\ud800")


def test_a_dict_that_changes_while_it_is_written_does_no_harm() -> None:
    changing: dict[Any, Any] = {}

    class Path(pathlib.PurePosixPath):
        def __str__(self) -> str:
            changing.clear()
            return "cleared"

    changing |= {"a": Path("x"), "b": 1}
    with pytest.raises(RuntimeError, match="changed its size"):
        to_json(changing)
