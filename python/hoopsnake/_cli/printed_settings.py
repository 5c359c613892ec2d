"""`--print-config`: all settings as the TOML file that would say the same."""

from __future__ import annotations

import json
from typing import Any

from hoopsnake._cli.option_kinds import Kind
from hoopsnake._cli.options import GROUPS
from hoopsnake._cli.settings import Settings

__all__ = ["printed_settings"]


def printed_settings(settings: Settings) -> str:
    """Write the settings as TOML; each that is not a default tells who said it."""
    lines = ["[serve]"]
    for group in GROUPS:
        lines += ["", f"# {group.title}"]
        for option in group.options:
            value, source = settings.all[option.name]
            if option.name in settings.unused:
                continue
            if value is None and not _has_nothing(option.kind):
                lines.append(f"# {option.name} is not set")
            else:
                remark = "" if source == "default" else f"  # {source}"
                lines.append(f"{option.name} = {_as_toml(option.kind, value)}{remark}")
    return "\n".join(lines)


def _has_nothing(kind: Kind) -> bool:
    """Whether None can be written: as a 0."""
    return kind.is_number and kind.write(None) == "0"


def _as_toml(kind: Kind, value: Any) -> str:
    if kind.is_flag:
        return "true" if value else "false"
    if kind.is_list:
        return "[" + ", ".join(_as_string(kind.write((each,))) for each in value) + "]"
    text = kind.write(value)
    is_number = kind.is_number or (isinstance(value, int) and text.isdigit() and not kind.is_octal)
    return text if is_number else _as_string(text)


def _as_string(text: str) -> str:
    # A TOML basic string escapes what a JSON string escapes, but for DEL (TOML 1.0, "String").
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
