"""`hoop openapi`: an application's OpenAPI document, for clients made of it and for reviews."""

from __future__ import annotations

import argparse
import json
import sys

from hoopsnake._cli.application import loaded
from hoopsnake._cli.complaint import complain
from hoopsnake._import_string import ImportStringError

__all__ = ["openapi_command"]


def openapi_command(chosen: argparse.Namespace) -> int:
    """Write the document to standard output or a file: the same bytes for the same routes."""
    try:
        application = loaded(chosen)
    except ImportStringError as error:
        return complain(str(error), exit_status=2)
    describe = getattr(application, "openapi", None)
    if not callable(describe):
        kind = type(application)
        return complain(
            f"'{chosen.app}' is a {kind.__module__}.{kind.__qualname__}, which has no openapi(): "
            "hoopsnake.web.App has",
            exit_status=2,
        )
    text = json.dumps(describe(), ensure_ascii=False, indent=2) + "\n"
    if chosen.output is None:
        sys.stdout.write(text)
        return 0
    try:
        with open(chosen.output, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        return complain(f"{chosen.output}: cannot be written: {error.strerror}", exit_status=1)
    return 0
