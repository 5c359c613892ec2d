"""Reads a plain command line of `hoop serve` without argparse, whose loading takes a while."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hoopsnake._cli.options import all_options

__all__ = ["read_plainly"]


def read_plainly(arguments: Sequence[str]) -> dict[str, Any] | None:
    """Return what argparse would make of these arguments, or None where it has to see them itself.

    It does wherever there is something to explain: help, a mistake, or a form of writing that only
    its rules can tell from a mistake. tests/test_plain_command_line.py holds both to be the same.
    """
    options = all_options()
    by_flag = {option.flag: option for _, option in options.values() if option.name != "app"}
    chosen: dict[str, Any] = {}
    waiting = list(reversed(arguments))
    while waiting:
        word = waiting.pop()
        if word == "" or " " in word:
            return None
        if not word.startswith("-"):
            if "app" in chosen:
                return None
            chosen["app"] = word
            continue
        flag, has_value, value = word.partition("=")
        is_off = flag.startswith("--no-")
        option = by_flag.get(f"--{flag[5:]}" if is_off and flag not in by_flag else flag)
        if option is not None and option.kind.is_flag and not has_value:
            chosen[option.name] = not is_off or flag in by_flag
            continue
        if not has_value:
            value = waiting.pop() if waiting else ""
        if flag not in by_flag and flag != "--config":
            return None
        if value == "" or value.startswith("-") or (option is not None and option.kind.is_flag):
            return None
        if option is None:
            chosen["config"] = value
            continue
        try:
            read = option.kind.read(value)
        except ValueError:
            return None
        if option.kind.is_list:
            read = [*chosen.get(option.name, ()), *read]
        chosen[option.name] = read
    return chosen | {"print_config": False}
