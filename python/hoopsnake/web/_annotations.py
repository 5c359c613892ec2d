"""What an annotation says of the shape of a value."""

from __future__ import annotations

import inspect
import types
from collections import deque
from collections.abc import Sequence
from typing import Annotated, Any, Union, get_args, get_origin

__all__ = ["inner_of", "is_sequence", "item_of"]

_SEQUENCES = (list, set, frozenset, tuple, deque, Sequence)


def inner_of(annotation: Any) -> Any:
    """Return an annotation without `Annotated`, and without None where one type is left then."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, types.UnionType):
        members = [each for each in get_args(annotation) if each is not type(None)]
        if len(members) == 1:
            return inner_of(members[0])
    return annotation


def is_sequence(annotation: Any) -> bool:
    """Whether values are lists or the like; of a union, whether some are."""
    annotation = inner_of(annotation)
    kind = get_origin(annotation) or annotation
    if kind in (Union, types.UnionType):
        return any(is_sequence(each) for each in get_args(annotation))
    return (
        inspect.isclass(kind)
        and issubclass(kind, _SEQUENCES)
        and not issubclass(kind, str | bytes | bytearray)
    )


def item_of(annotation: Any) -> Any:
    """Return what the items of a sequence are; of anything else, what it is itself."""
    inner = inner_of(annotation)
    return inner_of(get_args(inner)[0]) if is_sequence(inner) and get_args(inner) else inner
