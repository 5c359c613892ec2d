"""Runs the coroutines among tests on hoopsnake's loop; a conftest says how long they may take."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

import hoopsnake


def coroutines_within(patience: float) -> Callable[[pytest.Function], bool | None]:
    """Make the hook `pytest_pyfunc_call`. A test that waits in vain fails after `patience` seconds.

    It says where it waits then; pytest's own timeout would end the whole run.
    """

    async def in_time(test: Coroutine[Any, Any, None]) -> None:
        async with asyncio.timeout(patience):
            await test

    def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
        if not inspect.iscoroutinefunction(pyfuncitem.obj):
            return None
        names = inspect.signature(pyfuncitem.obj).parameters
        hoopsnake.run(
            in_time(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
        )
        return True

    return pytest_pyfunc_call
