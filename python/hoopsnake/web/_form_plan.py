"""What a handler takes of a form: which field goes where, and how it is checked."""

from __future__ import annotations

import copy
import dataclasses
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

from hoopsnake.web._annotations import inner_of, is_sequence, item_of
from hoopsnake.web._concurrency import run_in_thread
from hoopsnake.web._errors import WebError
from hoopsnake.web._forms import FormData
from hoopsnake.web._parameters import ABSENT, File, Form
from hoopsnake.web._signature import Parameter
from hoopsnake.web._uploads import UploadFile
from hoopsnake.web._validation import Invalid, validator

__all__ = ["FormField", "FormPlan"]

Check = Callable[[Any], Any]


@dataclass(slots=True)
class FormField:
    """A parameter that is a field of a form, or a model of several."""

    name: str
    index: int
    parameter: Parameter
    marker: Form
    metadata: tuple[Any, ...]
    takes: dict[str, bool] | None
    """Of a model: the names of its fields, and whether they take several values."""
    takes_several: bool
    takes_bytes: bool
    """Whether files are read for it."""
    check: Check

    @property
    def is_required(self) -> bool:
        """Whether there has to be a value."""
        return self.parameter.is_required and self.marker.default_factory is None

    @property
    def place(self) -> list[str]:
        """Where it is, in what is told of an error."""
        return ["body"] if self.takes is not None else ["body", self.name]


class FormPlan:
    """The fields that a handler and its dependencies take of a form."""

    def __init__(self) -> None:
        self.fields: list[FormField] = []

    def add(self, parameter: Parameter, metadata: tuple[Any, ...]) -> FormField:
        """Take a field; raises WebError for one that no form can fill."""
        marker = parameter.marker
        assert isinstance(marker, Form)
        inner = inner_of(parameter.annotation)
        if hasattr(inner, "__struct_fields__"):
            raise WebError(f"{parameter.name}: a form fills pydantic models, not msgspec's Structs")
        takes = None if marker.embed else _fields_of(inner)
        field = FormField(
            name=marker.alias or parameter.name,
            index=0,
            parameter=parameter,
            marker=marker,
            metadata=metadata,
            takes=takes,
            takes_several=is_sequence(inner),
            takes_bytes=isinstance(marker, File) and item_of(inner) is bytes,
            check=_check(parameter.annotation, inner, metadata),
        )
        self.fields.append(field)
        return field

    @property
    def media_type(self) -> str:
        """What a client sends it as: as files need it, if there are any."""
        kinds = [each.marker.media_type for each in self.fields]
        files = [each.marker.media_type for each in self.fields if isinstance(each.marker, File)]
        if files:
            return files[0] if len(kinds) == 1 else "multipart/form-data"
        if "multipart/form-data" in kinds or len(set(kinds)) == 1:
            return "multipart/form-data" if "multipart/form-data" in kinds else kinds[0]
        return "application/x-www-form-urlencoded"

    async def prepare(self, form: FormData) -> None:
        """Read those files from the disk whose bytes a handler takes."""
        for field in self.fields:
            for value in form.getlist(field.name) if field.takes_bytes else ():
                if isinstance(value, UploadFile) and value._blocks:
                    value._content = await run_in_thread(value._all)

    def read(self, form: FormData) -> list[Any]:
        """Make the arguments of a form; raises Invalid with all that is wrong."""
        arguments: list[Any] = []
        errors: list[Any] = []
        for field in self.fields:
            value = _given(field, form)
            try:
                if value is not ABSENT:
                    arguments.append(field.check(value))
                elif field.is_required:
                    raise Invalid([_missing()])
                else:
                    arguments.append(_default(field))
            except Invalid as invalid:
                errors += [
                    {**each, "loc": [*field.place, *each["loc"]], "input": _shown(each["input"])}
                    for each in invalid.errors
                ]
        if errors:
            raise Invalid(errors)
        return arguments


# Of an annotation.


def _fields_of(annotation: Any) -> dict[str, bool] | None:
    """Return the names that the fields of a model have in a form; None if it is no model."""
    if not inspect.isclass(annotation):
        return None
    model_fields: dict[str, Any] | None = getattr(annotation, "model_fields", None)
    if model_fields is not None:
        return {
            name: is_sequence(each.annotation)
            for own_name, each in model_fields.items()
            for name in _names(annotation, own_name, each)
        }
    if dataclasses.is_dataclass(annotation):
        hints = inspect.get_annotations(annotation, eval_str=True)
        return {
            each.name: is_sequence(hints.get(each.name)) for each in dataclasses.fields(annotation)
        }
    return None


def _names(model: Any, own_name: str, field: Any) -> list[str]:
    alias = field.validation_alias or field.alias
    if alias is None:
        return [own_name]
    names = (
        [alias]
        if isinstance(alias, str)
        else [n for n in getattr(alias, "choices", ()) if isinstance(n, str)]
    )
    config = model.model_config
    if config.get("validate_by_name") or config.get("populate_by_name"):
        names.append(own_name)
    return names


def _check(annotation: Any, inner: Any, metadata: tuple[Any, ...]) -> Check:
    """Choose what checks a value; the simple ones need no pydantic."""
    if not metadata and inner is str:
        return _as_text
    if not metadata and inner is UploadFile:
        return _as_file
    if not metadata and inner is bytes:
        return _as_bytes
    return validator(annotation, metadata).of_object


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise Invalid([_wrong("string_type", "Input should be a valid string", value)])


def _as_bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    raise Invalid([_wrong("bytes_type", "Input should be a valid bytes", value)])


def _as_file(value: Any) -> UploadFile:
    try:
        return UploadFile._validated(value)
    except ValueError as error:
        wrong = _wrong("value_error", f"Value error, {error}", value)
        raise Invalid([{**wrong, "ctx": {"error": error}}]) from None


def _wrong(kind: str, message: str, value: Any) -> dict[str, Any]:
    return {"type": kind, "loc": (), "msg": message, "input": value}


def _missing() -> dict[str, Any]:
    return _wrong("missing", "Field required", None)


# Of a request.


def _given(field: FormField, form: FormData) -> Any:
    """Return what a form has for a field, as its check takes it; ABSENT if that is nothing."""
    if field.takes is None:
        return _value(form, field.name, field.takes_several, field.takes_bytes)
    found: dict[str, Any] = {}
    for name, several in field.takes.items():
        value = _value(form, name, several, False)
        if value is not ABSENT:
            found[name] = value
    if not found and not any(name in form for name in field.takes) and _is_optional(field):
        return ABSENT
    for name in form:
        if name not in field.takes:
            # What the model does not know is its own business: it may forbid it, or keep it.
            values = form.getlist(name)
            found[name] = values[0] if len(values) == 1 else values
    return found


def _is_optional(field: FormField) -> bool:
    return type(None) in get_args(field.parameter.annotation)


def _value(form: FormData, name: str, several: bool, reads: bool) -> Any:
    """Return the value of a name; what browsers send for nothing is nothing."""
    values = form.getlist(name)
    if several:
        kept: list[Any] = [each for each in values if not _is_no_file(each)]
        if not kept:
            return ABSENT
        return [each._all() if reads and isinstance(each, UploadFile) else each for each in kept]
    if not values or values[-1] == "" or _is_no_file(values[-1]):
        return ABSENT
    last = values[-1]
    return last._all() if reads and isinstance(last, UploadFile) else last


def _is_no_file(value: Any) -> bool:
    return isinstance(value, UploadFile) and value.filename == "" and value.size == 0


def _default(field: FormField) -> Any:
    if field.parameter.is_required:
        assert field.marker.default_factory is not None
        return field.marker.default_factory()
    # A list that is everybody's would not stay empty.
    return copy.deepcopy(field.parameter.default)


def _shown(value: Any) -> Any:
    """Return what an error shows of a value that may be no text."""
    if isinstance(value, UploadFile):
        return {"filename": value.filename, "size": value.size, "content_type": value.content_type}
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, dict):
        return {name: _shown(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_shown(each) for each in value]
    return value
