"""How log records become lines: text for people, JSON for machines."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import Any

from hoopsnake._request_id import request_id_variable

__all__ = ["JSONFormatter", "TextFormatter"]

# What a terminal would obey: C0, DEL and C1, and the two line ends of Unicode. A line feed is left.
_CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")
# What lines after the first of a record begin with, so that none passes for a record.
_CONTINUATION = "\n  "
# What every record has; the rest is what somebody gave it as `extra`.
_STANDARD = frozenset(vars(logging.LogRecord("", 0, "", 0, "", None, None))) | {
    "asctime",
    "message",
    "taskName",
}


class TextFormatter(logging.Formatter):
    """One line for a record; what follows, such as a traceback, is indented."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s")
        self._clock = _Clock("%H:%M:%S", time.localtime)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """Return the time of day."""
        return self._clock.text(int(record.created))

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record, without anything that breaks a line or moves a cursor."""
        text = super().format(record)
        if text.isprintable():
            return text
        # Tabs are for people, and harmless.
        text = _CONTROLS.sub(_escaped, text.replace("\t", "    "))
        return text.replace("\n", _CONTINUATION)


class JSONFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger and message, then the record's `extra` fields.

    The time is that of RFC 3339, in UTC. An exception is the field `exception`, with its
    traceback. The request's id is there if the record was made while one was at work.
    """

    def __init__(self) -> None:
        super().__init__()
        # Only here: who logs text need not load it.
        import json

        self._encode = json.JSONEncoder(default=repr, allow_nan=False).encode
        self._clock = _Clock("%Y-%m-%dT%H:%M:%S", time.gmtime)

    def _timestamp(self, seconds: float) -> str:
        # Whole microseconds first: rounding must not make a sixtieth second.
        whole, micros = divmod(round(seconds * 1_000_000), 1_000_000)
        return f"{self._clock.text(whole)}.{micros:06}Z"

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as one line of ASCII."""
        fields: dict[str, Any] = {
            "time": self._timestamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name, value in vars(record).items():
            if name not in _STANDARD and name not in fields:
                fields[name] = value
        request_id = request_id_variable.get()
        if request_id is not None:
            fields.setdefault("request_id", request_id)
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            fields["stack"] = self.formatStack(record.stack_info)
        try:
            return self._encode(fields)
        except (TypeError, ValueError):
            # Somebody's own field: a cycle, a key that is no text, or no number.
            return self._encode({str(name): _plain(value) for name, value in fields.items()})


def _plain(value: object) -> object:
    return value if isinstance(value, str | int | None) else repr(value)


class _Clock:
    """Writes seconds as text; many records have the same one."""

    def __init__(self, form: str, split: Callable[[float], time.struct_time]) -> None:
        self._form = form
        self._split = split
        # One object, so that threads see both or neither.
        self._last = (-1, "")

    def text(self, second: int) -> str:
        last, text = self._last
        if last != second:
            text = time.strftime(self._form, self._split(second))
            self._last = (second, text)
        return text


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
