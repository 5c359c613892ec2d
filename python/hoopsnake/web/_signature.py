"""A callable's signature, read once: what each parameter stands for."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from hoopsnake.web._background import BackgroundTasks
from hoopsnake.web._errors import WebError
from hoopsnake.web._parameter_models import is_parameter_model, model_reader
from hoopsnake.web._parameters import (
    ABSENT,
    Body,
    Declared,
    Depends,
    File,
    Header,
    Marker,
    Path,
    Query,
    SecurityScopes,
)
from hoopsnake.web._request import HTTPConnection
from hoopsnake.web._responses import Response
from hoopsnake.web._uploads import takes_files

__all__ = ["Parameter", "Signature", "named", "read_signature"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: its annotation without `Annotated`, its marker or dependency, its default."""

    name: str
    annotation: Any
    marker: Marker | Depends | None
    default: Any
    """What the handler gets where there is none; ABSENT if there has to be one."""
    metadata: tuple[Any, ...] = ()
    """What else `Annotated` says, for validators."""

    @property
    def is_required(self) -> bool:
        """Whether there has to be a value."""
        return self.default is ABSENT


@dataclass(frozen=True, slots=True)
class Signature:
    """The parameters of a callable, and the annotation of what it returns (ABSENT for none)."""

    parameters: tuple[Parameter, ...]
    returns: Any


def named(call: Callable[..., Any]) -> str:
    """Name a callable in a message, with its module."""
    name = getattr(call, "__qualname__", None) or type(call).__qualname__
    return f"{getattr(call, '__module__', '?')}.{name}"


def read_signature(call: Callable[..., Any], path_names: Sequence[str] = ()) -> Signature:
    """Read the parameters of a handler or dependency; those of the path are named by its pattern.

    Raises WebError for parameters that cannot be filled from a request.
    """
    try:
        signature = inspect.signature(call)
        hints = _hints(call)
    except (NameError, TypeError, ValueError) as error:
        raise WebError(f"the signature of {named(call)} cannot be read: {error}") from error
    parameters = []
    for each in signature.parameters.values():
        if each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD, each.POSITIONAL_ONLY):
            raise WebError(
                f"{named(call)}: the parameter {each} cannot be filled from a request: parameters "
                "are passed by name"
            )
        parameters.append(_parameter(call, each, hints.get(each.name, Any), path_names))
    return Signature(tuple(parameters), hints.get("return", ABSENT))


def _hints(call: Callable[..., Any]) -> dict[str, Any]:
    if inspect.isclass(call):
        return {**typing.get_type_hints(call.__init__, include_extras=True), "return": call}
    if not (inspect.isfunction(call) or inspect.ismethod(call)):
        call = getattr(type(call), "__call__", call)  # noqa: B004
    return typing.get_type_hints(inspect.unwrap(call), include_extras=True)


def _parameter(
    call: Callable[..., Any], given: inspect.Parameter, hint: Any, path_names: Sequence[str]
) -> Parameter:
    annotation: Any = hint
    metadata: tuple[Any, ...] = ()
    if get_origin(hint) is Annotated:
        annotation, *rest = get_args(hint)
        metadata = tuple(rest)
    default = ABSENT if given.default is given.empty else given.default
    marker = next((each for each in metadata if isinstance(each, Marker | Depends)), None)
    if isinstance(default, Marker | Depends):
        marker, default = default, getattr(default, "default", ABSENT)
    if isinstance(marker, Marker) and default is ABSENT:
        default = marker.default
    if default is ...:
        default = ABSENT
    if marker is None:
        marker = _implied(given.name, annotation, path_names)
    if isinstance(marker, Path) and given.name not in path_names and not marker.alias:
        raise WebError(f"{named(call)}: the path has no parameter {given.name!r}")
    if isinstance(marker, Marker) and is_parameter_model(annotation, marker):
        marker, default = Depends(model_reader(annotation, marker)), ABSENT
    others = tuple(each for each in metadata if not isinstance(each, Marker | Depends))
    return Parameter(given.name, annotation, marker, default, others)


def _implied(name: str, annotation: Any, path_names: Sequence[str]) -> Marker | None:
    """Where a parameter comes from that does not say so itself; None for what is injected."""
    if name in path_names:
        return Path()
    if inspect.isclass(annotation) and issubclass(
        annotation, HTTPConnection | Response | BackgroundTasks | SecurityScopes
    ):
        return None
    if takes_files(annotation):
        return File()
    return Query() if _is_simple(annotation) else Body()


def _is_simple(annotation: Any) -> bool:
    """Whether a value fits into a text, or several of them into several."""
    origin = get_origin(annotation)
    members: tuple[Any, ...] = get_args(annotation)
    if origin in (Union, types.UnionType):
        return all(_is_simple(each) for each in members if each is not type(None))
    if origin in (list, set, frozenset, tuple, Sequence):
        return all(_is_simple(each) for each in members if each is not ...)
    if origin is Annotated:
        return _is_simple(get_args(annotation)[0])
    if origin is Literal:
        return True
    # dict[str, int] is no class, but dict is.
    annotation = origin or annotation
    if not inspect.isclass(annotation):
        return True
    return not (
        dataclasses.is_dataclass(annotation)
        or issubclass(annotation, dict | list | set | frozenset | tuple)
        or hasattr(annotation, "__pydantic_validator__")
        or hasattr(annotation, "__struct_fields__")
        or typing.is_typeddict(annotation)
    )


_KINDS: dict[Any, str] = {str: "str", int: "int", float: "float", bool: "bool"}


def declared(parameter: Parameter, marker: Marker) -> tuple[Declared, Any]:
    """Say what a parameter is to the engine, and what to a validator (ABSENT: nothing)."""
    annotation, many = parameter.annotation, False
    if get_origin(annotation) in (Union, types.UnionType):
        members = [each for each in get_args(annotation) if each is not type(None)]
        if len(members) == 1:
            annotation = members[0]
    if get_origin(annotation) is list and marker.place in ("query", "header"):
        many, annotation = True, get_args(annotation)[0]
    elif get_origin(annotation) in (set, frozenset, tuple, Sequence) or annotation in (list, set):
        many, annotation = marker.place in ("query", "header"), Any
    kind = _KINDS.get(annotation, "unchecked")
    told = Declared(
        place=marker.place,
        name=_name_of(parameter.name, marker),
        kind=kind,
        many=many,
        required=parameter.is_required and marker.default_factory is None,
        default=None if parameter.default is ABSENT else parameter.default,
        gt=marker.gt,
        ge=marker.ge,
        lt=marker.lt,
        le=marker.le,
        multiple_of=marker.multiple_of,
        min_length=marker.min_length,
        max_length=marker.max_length,
    )
    if kind == "unchecked":
        _tell_choices(told, annotation)
    needs_more = told.kind == "unchecked" or marker.pattern is not None or parameter.metadata
    return told, (parameter.annotation if needs_more else ABSENT)


def _tell_choices(told: Declared, annotation: Any) -> None:
    """Say what the members of an enumeration or the literals are, where all of them are texts."""
    if get_origin(annotation) is Literal:
        pairs = [(value, value) for value in get_args(annotation)]
    elif inspect.isclass(annotation) and issubclass(annotation, enum.Enum):
        pairs = [(member.value, member) for member in annotation]
        told.of_enumeration = True
        if hasattr(annotation, "_missing_") and "_missing_" in vars(annotation):
            return
    else:
        return
    if pairs and all(type(text) is str for text, _ in pairs):
        shown = [repr(text) for text, _ in pairs]
        told.kind, told.choices = "choice", pairs
        told.expected = " or ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def _name_of(name: str, marker: Marker) -> str:
    if marker.alias is not None:
        return marker.alias.lower() if isinstance(marker, Header) else marker.alias
    if isinstance(marker, Header):
        return (name.replace("_", "-") if marker.convert_underscores else name).lower()
    return name
