"""Models whose fields are parameters of their own: `Annotated[Filters, Query()]`."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Annotated, Any

from hoopsnake.web._concurrency import inline
from hoopsnake.web._errors import RequestValidationError
from hoopsnake.web._parameters import ABSENT, Cookie, Header, Marker, Path, Query
from hoopsnake.web._request import HTTPConnection

__all__ = ["is_parameter_model", "model_reader"]

# The names of annotated_types, and of our markers.
_ENGINE_CHECKS = {
    "Gt": "gt",
    "Ge": "ge",
    "Lt": "lt",
    "Le": "le",
    "MultipleOf": "multiple_of",
    "MinLen": "min_length",
    "MaxLen": "max_length",
}


def is_parameter_model(annotation: Any, marker: Any) -> bool:
    """Whether a parameter stands for all fields of a pydantic model."""
    return (
        isinstance(marker, Query | Header | Cookie | Path)
        and inspect.isclass(annotation)
        and hasattr(annotation, "__pydantic_fields__")
        and hasattr(annotation, "model_validate")
    )


def model_reader(model: Any, marker: Marker) -> Callable[..., Any]:
    """Make a dependency that has a model's fields as parameters of its own, and returns the model.

    So the engine reads and checks each of them, and the document names each. What concerns several
    fields at once the model checks when all are there.
    """
    fields = model.__pydantic_fields__
    names = {name: f"field_{number}" for number, name in enumerate(fields)}
    told = {
        names[name]: _parameter(names[name], name, field, marker) for name, field in fields.items()
    }
    is_closed = model.model_config.get("extra") == "forbid" and marker.place in ("query", "cookie")
    if is_closed:
        told["connection"] = inspect.Parameter(
            "connection", inspect.Parameter.KEYWORD_ONLY, annotation=HTTPConnection
        )

    @inline
    def read(**given: Any) -> Any:
        connection = given.pop("connection", None)
        values = {}
        for name, field in fields.items():
            value = given[names[name]]
            # What was not sent is left to the model, which knows then that it is not set.
            if value is not told[names[name]].default:
                values[_key(name, field)] = value
        if connection is not None:
            known = {_alias(name, field, marker) for name, field in fields.items()}
            values |= _others(connection, marker, known)
        return _validated(model, values, marker)

    read.__name__ = read.__qualname__ = model.__qualname__
    read.__module__ = model.__module__
    signature = inspect.Signature(list(told.values()), return_annotation=model)
    read.__signature__ = signature  # type: ignore[attr-defined]
    read.__annotations__ = {name: each.annotation for name, each in told.items()}
    return read


def _parameter(own_name: str, name: str, field: Any, marker: Marker) -> inspect.Parameter:
    options: dict[str, Any] = {"alias": _alias(name, field, marker)}
    for each in ("title", "description", "examples", "deprecated"):
        if getattr(field, each, None) is not None:
            options[each] = getattr(field, each)
    if marker.place == "header":
        # Of the name as it is in the model, not as it is sent.
        options.setdefault("title", name.replace("_", " ").title())
    constraints, rest = _constraints(field.metadata)
    own: Marker = dataclasses.replace(marker, default=ABSENT, **options, **constraints)
    default = inspect.Parameter.empty if field.is_required() else field.default
    if field.default_factory is not None:
        # The model makes it; the engine has to know that there need be none.
        default = None
    return inspect.Parameter(
        own_name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[(field.annotation, own, *rest)],
    )


def _constraints(metadata: list[Any]) -> tuple[dict[str, Any], list[Any]]:
    """Part what the engine checks from what is left to pydantic."""
    told: dict[str, Any] = {}
    rest: list[Any] = []
    for each in metadata:
        name = _ENGINE_CHECKS.get(type(each).__name__)
        if name is not None:
            told[name] = getattr(each, name)
        else:
            rest.append(each)
    return told, rest


def _alias(name: str, field: Any, marker: Marker) -> str:
    alias = _key(name, field)
    if alias != name:
        return alias
    if isinstance(marker, Header) and marker.convert_underscores:
        return name.replace("_", "-")
    return name


def _key(name: str, field: Any) -> str:
    alias = field.validation_alias or field.alias
    return alias if isinstance(alias, str) else name


def _others(connection: HTTPConnection, marker: Marker, known: set[str]) -> dict[str, str]:
    """Return what was sent beside the fields; the model says what it has against it."""
    sent = connection.query_params if marker.place == "query" else connection.cookies
    return {name: value for name, value in sent.items() if name not in known}


def _validated(model: Any, values: dict[str, Any], marker: Marker) -> Any:
    from pydantic import ValidationError

    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise RequestValidationError(
            [
                {**each, "loc": [marker.place, *each["loc"]]}
                for each in error.errors(include_url=False)
            ]
        ) from None
