"""Reads options for argparse; apart from their kinds, which `hoop serve` has without it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from hoopsnake._cli.option_kinds import Kind

__all__ = ["argument_reader"]


def argument_reader(kind: Kind) -> Callable[[str], Any]:
    """Return what reads a value for argparse, and says what is wrong with one."""

    def read(text: str) -> Any:
        try:
            return kind.read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read
