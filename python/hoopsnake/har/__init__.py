"""Record what a client asks and is answered, and replay it: HAR files, version 1.2, for tests."""

from hoopsnake.har._archive import Exchange, HARError, load
from hoopsnake.har._recording import RecordingTransport
from hoopsnake.har._replaying import (
    NoRecordedExchange,
    ReplayMode,
    ReplayTransport,
    record_once,
)

__all__ = [
    "Exchange",
    "HARError",
    "NoRecordedExchange",
    "RecordingTransport",
    "ReplayMode",
    "ReplayTransport",
    "load",
    "record_once",
]
