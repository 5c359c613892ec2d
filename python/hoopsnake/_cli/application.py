"""Imports the application that a command is about, but does not serve."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from hoopsnake._cli.tracebacks import leave_with_own_frames
from hoopsnake._import_string import ImportStringError, load_app

__all__ = ["add_application_arguments", "loaded"]


def add_application_arguments(parser: argparse.ArgumentParser) -> None:
    """Let a command take what names an application, as `hoop serve` does."""
    parser.add_argument(
        "app",
        metavar="APP",
        help="where the application is: `module:attribute`; without an attribute it is `app`",
    )
    parser.add_argument(
        "--factory",
        action="store_true",
        help="APP is a function that takes no arguments and returns the application",
    )
    parser.add_argument(
        "--app-dir",
        metavar="PATH",
        default=".",
        help="where to look for the module first (default: .)",
    )


def loaded(chosen: argparse.Namespace) -> Any:
    """Import the application; what it raises leaves the process with its own frames alone.

    Raises ImportStringError if it is not to be found.
    """
    if not os.path.isdir(chosen.app_dir):
        raise ImportStringError(f"--app-dir: {chosen.app_dir!r} is no directory")
    sys.path.insert(0, os.path.abspath(chosen.app_dir))
    try:
        return load_app(chosen.app, factory=chosen.factory)
    except (ImportStringError, KeyboardInterrupt):
        raise
    except BaseException as error:
        leave_with_own_frames(error)
