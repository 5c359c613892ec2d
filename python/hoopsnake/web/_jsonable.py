"""`jsonable_encoder`: a value as dicts, lists, texts and numbers, which any JSON writer takes."""

from __future__ import annotations

import json
from typing import Any

from hoopsnake.web._json import to_json

__all__ = ["jsonable_encoder"]


def jsonable_encoder(
    obj: Any,
    include: Any = None,
    exclude: Any = None,
    by_alias: bool = True,
    exclude_unset: bool = False,
    exclude_defaults: bool = False,
    exclude_none: bool = False,
) -> Any:
    """Make of a value what JSON has: models become dicts, dates texts, and so on.

    The options say what is left out of models, as in pydantic's `model_dump`. Raises TypeError for
    what has no JSON.
    """
    if hasattr(obj, "model_dump"):
        return obj.model_dump(
            mode="json",
            include=include,
            exclude=exclude,
            by_alias=by_alias,
            exclude_unset=exclude_unset,
            exclude_defaults=exclude_defaults,
            exclude_none=exclude_none,
        )
    made = json.loads(to_json(obj))
    if not isinstance(made, dict):
        return made
    return {
        name: value
        for name, value in made.items()
        if (include is None or name in include)
        and (exclude is None or name not in exclude)
        and not (exclude_none and value is None)
    }
