"""Bodies and values that the engine leaves to pydantic or msgspec: one validator a type."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, NamedTuple

from hoopsnake.web._errors import ResponseValidationError, WebError
from hoopsnake.web._plain_models import model_writer

__all__ = ["Invalid", "Validator", "response_encoder", "validator"]


class Invalid(Exception):
    """A value is not what it has to be; `errors` are like those of pydantic."""

    def __init__(self, errors: list[Any]) -> None:
        super().__init__(errors)
        self.errors = errors


class Validator(NamedTuple):
    """How values of a type are made; each raises Invalid."""

    of_json: Callable[[bytes], Any]
    of_object: Callable[[Any], Any]


def validator(annotation: Any, metadata: tuple[Any, ...] = ()) -> Validator:
    """Make the validator of a type: msgspec's for its Structs, pydantic's for all else."""
    if _is_struct(annotation):
        return _of_msgspec(annotation)
    adapter = _adapter(annotation, metadata)
    from pydantic import ValidationError

    core = adapter.validator

    def of_json(body: bytes) -> Any:
        try:
            return core.validate_json(body)
        except ValidationError as error:
            raise Invalid(_readable(error)) from None

    def of_object(value: Any) -> Any:
        try:
            return core.validate_python(value)
        except ValidationError as error:
            raise Invalid(error.errors(include_url=False)) from None

    return Validator(of_json, of_object)


def _readable(error: Any) -> list[Any]:
    errors: list[Any] = error.errors(include_url=False)
    for each in errors:
        if each["type"] == "json_invalid":
            # As FastAPI tells it: the place is where the JSON breaks, and the input is empty.
            each["input"] = {}
    return errors


def response_encoder(
    annotation: Any, options: Mapping[str, Any] | None = None
) -> Callable[[Any], bytes]:
    """Make what writes values of a return type as JSON: only what the type declares.

    `options` are those of pydantic's `model_dump_json`, such as `exclude_unset`.

    What is written is checked if need be; that raises ResponseValidationError.
    """
    if _is_struct(annotation):
        msgspec = _msgspec()
        if options:
            raise WebError(
                f"{annotation!r} is a msgspec Struct: what is written of it, it says itself, with "
                "omit_defaults and rename"
            )

        def encode_struct(value: Any) -> bytes:
            if not isinstance(value, annotation):
                try:
                    value = msgspec.convert(value, annotation, from_attributes=True)
                except msgspec.ValidationError as error:
                    raise ResponseValidationError(str(error)) from error
            encoded: bytes = msgspec.json.encode(value)
            return encoded

        return encode_struct
    adapter = _adapter(annotation, ())
    serializer, core = adapter.serializer, adapter.validator
    known = annotation if inspect.isclass(annotation) else None
    written = {"by_alias": True, **(options or {})}
    write_plainly = None if options else model_writer(annotation)
    from pydantic import ValidationError

    def encode(value: Any) -> bytes:
        if write_plainly is not None:
            # As it was declared: then there is nothing to check, and nothing but fields to write.
            plain = write_plainly(value)
            if plain is not None:
                return plain
        if known is None or type(value) is not known:
            try:
                value = core.validate_python(value, from_attributes=True)
            except ValidationError as error:
                raise ResponseValidationError(str(error)) from error
        encoded: bytes = serializer.to_json(value, **written)
        return encoded

    return encode


@cache
def _msgspec() -> Any:
    import msgspec

    return msgspec


def _is_struct(annotation: Any) -> bool:
    return inspect.isclass(annotation) and hasattr(annotation, "__struct_fields__")


def _of_msgspec(annotation: Any) -> Validator:
    msgspec = _msgspec()
    decoder = msgspec.json.Decoder(annotation)

    def told(error: Exception) -> Invalid:
        kind = "value_error" if isinstance(error, msgspec.ValidationError) else "json_invalid"
        return Invalid([{"type": kind, "loc": (), "msg": str(error), "input": {}}])

    def of_json(body: bytes) -> Any:
        try:
            return decoder.decode(body)
        except msgspec.DecodeError as error:
            raise told(error) from None

    def of_object(value: Any) -> Any:
        try:
            return msgspec.convert(value, annotation)
        except msgspec.ValidationError as error:
            raise told(error) from None

    return Validator(of_json, of_object)


def _adapter(annotation: Any, metadata: tuple[Any, ...]) -> Any:
    try:
        from pydantic import TypeAdapter
    except ImportError:
        raise WebError(
            f"values of type {annotation!r} are checked by pydantic, which is not installed: "
            "pip install pydantic"
        ) from None
    for each in metadata:
        annotation = Annotated[annotation, each]
    return TypeAdapter(annotation)
