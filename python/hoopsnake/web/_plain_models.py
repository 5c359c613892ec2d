"""Which types of pydantic's can be written as JSON by looking at their values alone."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from hoopsnake._native import ModelWriter

__all__ = ["Field", "Model", "Shape", "model_writer"]

_SCALARS: dict[Any, int] = {type(None): 1, None: 1, bool: 2, int: 4, float: 8, str: 16}
# Settings of a model that say nothing of how it is written.
_HARMLESS = {
    "arbitrary_types_allowed",
    "from_attributes",
    "frozen",
    "hide_input_in_errors",
    "json_schema_extra",
    "populate_by_name",
    "protected_namespaces",
    "str_max_length",
    "str_min_length",
    "str_strip_whitespace",
    "str_to_lower",
    "str_to_upper",
    "strict",
    "title",
    "use_attribute_docstrings",
    "validate_assignment",
    "validate_by_alias",
    "validate_by_name",
    "validate_default",
}


@dataclass(slots=True)
class Shape:
    """What a value may be (`web/plain_models.rs`); several of these make a union."""

    scalars: int = 0
    items: Shape | None = None
    values: Shape | None = None
    model: Model | None = None


@dataclass(slots=True)
class Field:
    """A field of a model: its name, and the key that it has in JSON."""

    name: str
    key: str
    shape: Shape


@dataclass(slots=True)
class Model:
    """A model, and its fields in their order."""

    class_: type[Any]
    fields: list[Field]


def model_writer(annotation: Any) -> Callable[[Any], bytes | None] | None:
    """Make what writes values of a type; None if only pydantic can.

    It returns None for a value that is not as its type declares.
    """
    shape = _shape(annotation, ())
    return None if shape is None or not _has_model(shape) else ModelWriter(shape)


def _has_model(shape: Shape) -> bool:
    inner = (each for each in (shape.items, shape.values) if each is not None)
    return shape.model is not None or any(map(_has_model, inner))


def _shape(annotation: Any, above: tuple[type[Any], ...]) -> Shape | None:
    """Return the shape of a type; `above` are the models that it stands in."""
    if annotation in _SCALARS:
        return Shape(_SCALARS[annotation])
    origin, members = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _shape(members[0], above) if _only_constrains(members[1:]) else None
    if origin in (Union, types.UnionType):
        return _united(_shape(each, above) for each in members)
    if origin is Literal:
        return _united(_shape(type(each), above) for each in members)
    if origin is list:
        items = _shape(members[0], above)
        return None if items is None else Shape(items=items)
    if origin is dict and members[0] is str:
        values = _shape(members[1], above)
        return None if values is None else Shape(values=values)
    if inspect.isclass(annotation) and annotation not in above and _is_plain(annotation):
        return _of_model(annotation, (*above, annotation))
    return None


def _united(shapes: Iterable[Shape | None]) -> Shape | None:
    """Return what may be any of these; of two models pydantic tells which it is."""
    united = Shape()
    for shape in shapes:
        if shape is None:
            return None
        united.scalars |= shape.scalars
        for part in ("items", "values", "model"):
            given = getattr(shape, part)
            if given is not None:
                if getattr(united, part) is not None:
                    return None
                setattr(united, part, given)
    return united


def _of_model(model: Any, above: tuple[type[Any], ...]) -> Shape | None:
    fields = []
    for name, field in model.model_fields.items():
        shape = _shape(field.annotation, above)
        is_excluded = field.exclude or getattr(field, "exclude_if", None) is not None
        if shape is None or is_excluded or not _only_constrains(field.metadata):
            return None
        fields.append(Field(name, field.serialization_alias or name, shape))
    return Shape(model=Model(model, fields))


def _is_plain(model: type[Any]) -> bool:
    """Whether nothing but the fields says how a class is written."""
    if not hasattr(model, "__pydantic_decorators__"):
        return False
    from pydantic import BaseModel, RootModel

    if not issubclass(model, BaseModel) or issubclass(model, RootModel):
        return False
    given: Any = model.__pydantic_decorators__
    if given.field_serializers or given.model_serializers or given.computed_fields:
        return False
    config: dict[str, Any] = dict(model.model_config)
    if config.pop("extra", "ignore") == "allow" or not config.keys() <= _HARMLESS:
        return False
    own = (model.__get_pydantic_core_schema__, BaseModel.__get_pydantic_core_schema__)
    return own[0].__func__ is own[1].__func__  # type: ignore[attr-defined]


def _only_constrains(metadata: Iterable[Any]) -> bool:
    """Whether what `Annotated` says is about which values are allowed, and nothing else."""
    return all(
        type(each).__module__ == "annotated_types"
        or type(each).__name__.endswith("GeneralMetadata")
        for each in metadata
    )
