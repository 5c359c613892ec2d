"""Python's cyclic garbage collector in a process that serves: how often it looks, and at what."""

from __future__ import annotations

import gc

__all__ = ["relieve"]

# What CPython begins with, by version. Who has changed it knows better than we do.
_PYTHONS_OWN = {(700, 10, 10), (2000, 10, 10), (2000, 10, 0)}


def relieve(threshold: int) -> None:
    """Have it look after `threshold` new objects, and never at what is there by now.

    A server's requests are mostly under way when it looks as often as Python has it do: it walks
    through what still lives, and finds nothing. What importing the application has made stays for
    good anyway; looking through all of it is what long pauses come from. Changes nothing for 0,
    and where the application has chosen by itself. docs/adr/0051.
    """
    if not threshold or not gc.isenabled() or gc.get_threshold() not in _PYTHONS_OWN:
        return
    # Without a collection before it, which takes as long as a tenth of the start: what has become
    # garbage since the last one is kept, and that is little.
    gc.freeze()
    gc.set_threshold(threshold, *gc.get_threshold()[1:])
