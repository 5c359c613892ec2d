"""Models that the engine writes as JSON: the same bytes as pydantic's, or left to pydantic."""

import json
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Gt
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    RootModel,
    TypeAdapter,
    computed_field,
    field_serializer,
    model_serializer,
)

from hoopsnake.web._plain_models import model_writer
from hoopsnake.web._validation import response_encoder


class Color(StrEnum):
    RED = "red"


class Part(BaseModel):
    name: str
    weight: float | None = None


class Thing(BaseModel):
    """One of each kind that is plain."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    price: Annotated[float, Gt(-1e308)] = Field(serialization_alias="the price")
    text: str = Field(max_length=1000, default="")
    flag: bool | None = None
    kind: Literal["a", 1] = "a"
    parts: list[Part] = []
    named: dict[str, Part | None] = {}
    deep: dict[str, list[dict[str, int]]] = {}


class Inherited(Thing):
    more: str = "m"


def theirs(annotation: Any, value: Any) -> bytes:
    return TypeAdapter(annotation).dump_json(value, by_alias=True)


def in_order(written: bytes) -> Any:
    """Read JSON, with the keys of objects in their order."""
    return json.loads(written, object_pairs_hook=list)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
parts = st.builds(Part, name=texts, weight=st.none() | st.floats())
things = st.builds(
    Thing,
    number=st.integers(),
    price=st.floats(min_value=-1e300, allow_nan=False),
    text=texts,
    flag=st.none() | st.booleans(),
    kind=st.sampled_from(["a", 1]),
    parts=st.lists(parts, max_size=3),
    named=st.dictionaries(texts, st.none() | parts, max_size=3),
    deep=st.dictionaries(texts, st.lists(st.dictionaries(texts, st.integers(-5, 5))), max_size=2),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(things, max_size=3))
def test_it_is_what_pydantic_writes(values: list[Thing]) -> None:
    # But for how large a float may be before it has an exponent.
    ours, expected = response_encoder(list[Thing])(values), theirs(list[Thing], values)
    assert in_order(ours) == in_order(expected)


def test_an_inheriting_model_has_all_fields_and_is_no_instance_of_its_base() -> None:
    value = Inherited.model_validate({"number": 1, "price": 2})
    assert response_encoder(Inherited)(value) == theirs(Inherited, value)
    writer = model_writer(Thing)
    assert writer is not None and writer(value) is None
    # What the type declares, and no more: pydantic sees to that.
    assert b"more" not in response_encoder(Thing)(value)


@pytest.mark.parametrize(
    "changes",
    [
        {"number": "one"},
        {"number": True},
        {"text": Color.RED},
        {"flag": 1},
        {"parts": (Part(name="x"),)},
        {"parts": [{"name": "x"}]},
        {"named": {1: None}},
        {"price": 1},
    ],
)
def test_what_is_not_as_declared_is_left_to_pydantic(changes: dict[str, Any]) -> None:
    value = Thing.model_construct(**{"number": 1, "price": 1.0, **changes})
    writer = model_writer(Thing)
    assert writer is not None and writer(value) is None


def test_a_missing_field_is_left_to_pydantic() -> None:
    writer = model_writer(Part)
    assert writer is not None and writer(Part.model_construct(weight=1.0)) is None


def test_numbers_beyond_64_bits_and_what_is_not_finite() -> None:
    class Numbers(BaseModel):
        whole: int
        broken: list[float]

    value = Numbers(whole=2**70, broken=[float("inf"), float("nan"), 1e16, 0.1])
    encoded = response_encoder(Numbers)(value)
    assert in_order(encoded) == in_order(theirs(Numbers, value))
    assert json.loads(encoded)["broken"] == [None, None, 1e16, 0.1]


class WithFieldSerializer(BaseModel):
    a: int

    @field_serializer("a")
    def write(self, value: int) -> str:
        return f"<{value}>"


class WithModelSerializer(BaseModel):
    a: int

    @model_serializer
    def write(self) -> str:
        return "whole"


class WithComputedField(BaseModel):
    a: int

    @computed_field  # type: ignore[prop-decorator]
    @property
    def b(self) -> int:
        return self.a + 1


class WithExtra(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int


class WithExcluded(BaseModel):
    a: int = Field(exclude=True)


class WithGeneratedAliases(BaseModel):
    model_config = ConfigDict(alias_generator=str.upper)
    a: int


class WithInfinities(BaseModel):
    model_config = ConfigDict(ser_json_inf_nan="strings")
    a: float


class WithOwnSerializer(BaseModel):
    a: Annotated[int, PlainSerializer(lambda value: -value)]


class WithDate(BaseModel):
    a: datetime


class Root(RootModel[int]):
    pass


class Recursive(BaseModel):
    a: int = 1
    inner: "Recursive | None" = None


@pytest.mark.parametrize(
    ("model", "value"),
    [
        (WithFieldSerializer, {"a": 1}),
        (WithModelSerializer, {"a": 1}),
        (WithComputedField, {"a": 1}),
        (WithExtra, {"a": 1, "b": 2}),
        (WithExcluded, {"a": 1}),
        (WithGeneratedAliases, {"A": 1}),
        (WithInfinities, {"a": float("inf")}),
        (WithOwnSerializer, {"a": 1}),
        (WithDate, {"a": "2026-01-02T03:04:05Z"}),
        (Root, 1),
        (Recursive, {"inner": {"inner": {}}}),
    ],
)
def test_models_that_say_more_than_their_fields_are_pydantics(model: Any, value: Any) -> None:
    made = model.model_validate(value)
    assert model_writer(model) is None
    assert model_writer(list[model]) is None
    assert response_encoder(model)(made) == theirs(model, made)


def test_a_union_of_models_is_pydantics() -> None:
    assert model_writer(Part | Thing) is None
    assert model_writer(Part | None) is not None
    assert model_writer(list[int]) is None
