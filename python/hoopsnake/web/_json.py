"""JSON of what handlers return, by the engine and by the libraries that know their own types."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import ipaddress
import pathlib
import re
import sys
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Set
from typing import Any

from hoopsnake._native import encode_json

__all__ = ["to_json", "without_json"]


def to_json(value: Any) -> bytes:
    """Write a value as JSON in UTF-8 (RFC 8259).

    Beside dicts, lists and simple values: pydantic models, msgspec Structs, dataclasses,
    enumerations, dates, times and durations (ISO 8601), UUIDs, Decimals (as texts), sets, paths,
    addresses, exceptions (as texts) and bytes (as UTF-8). Infinities and what is no number are
    null. Raises TypeError for anything else, and ValueError for values that hold themselves.
    """
    return encode_json(value, without_json)


def _moment(value: datetime.datetime | datetime.time) -> str:
    text = value.isoformat()
    return f"{text[:-6]}Z" if text.endswith("+00:00") else text


def _duration(value: datetime.timedelta) -> str:
    """ISO 8601, as pydantic writes it: -P1DT2H for a day and two hours before."""
    sign, value = ("-", -value) if value < datetime.timedelta(0) else ("", value)
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{number}{unit}" for number, unit in ((hours, "H"), (minutes, "M")) if number]
    if seconds or value.microseconds:
        fraction = f".{value.microseconds:06}".rstrip("0") if value.microseconds else ""
        parts.append(f"{seconds}{fraction}S")
    days = f"{value.days}D" if value.days else ""
    if not (days or parts):
        return "PT0S"
    return f"{sign}P{days}{'T' if parts else ''}{''.join(parts)}"


_BY_TYPE: dict[type[Any], Callable[[Any], Any]] = {
    datetime.datetime: _moment,
    datetime.date: datetime.date.isoformat,
    datetime.time: _moment,
    datetime.timedelta: _duration,
    decimal.Decimal: str,
    uuid.UUID: str,
    bytes: bytes.decode,
    bytearray: lambda value: bytes(value).decode(),
    frozenset: list,
    set: list,
    deque: list,
    re.Pattern: lambda value: value.pattern,
}

# Looked at in this order, for classes that derive from these.
_BY_BASE: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (enum.Enum, lambda value: value.value),
    (pathlib.PurePath, str),
    (str, str.__str__),
    (int, int),
    (float, float),
    (
        ipaddress.IPv4Address
        | ipaddress.IPv6Address
        | ipaddress.IPv4Network
        | ipaddress.IPv6Network,
        str,
    ),
    (BaseException, str),
    (Mapping, dict),
    (Set, list),
)


def without_json(value: Any) -> Any:
    """Return what stands for a value in JSON; bytes are JSON already."""
    kind = type(value)
    convert = _BY_TYPE.get(kind)
    if convert is not None:
        return convert(value)
    serializer = getattr(kind, "__pydantic_serializer__", None)
    if serializer is not None:
        return serializer.to_json(value, by_alias=True)
    if hasattr(kind, "__struct_fields__"):
        return sys.modules["msgspec"].json.encode(value)
    if dataclasses.is_dataclass(kind):
        return {each.name: getattr(value, each.name) for each in dataclasses.fields(kind)}
    for base, convert in (*_BY_BASE, *_BY_TYPE.items()):
        if isinstance(value, base):
            return convert(value)
    raise TypeError(f"a {kind.__qualname__} cannot be written as JSON")
