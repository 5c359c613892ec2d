"""Runs the coroutines among these tests on hoopsnake's own loop."""

from __future__ import annotations

import asyncio
import inspect

import pytest

import hoopsnake

# A test that waits in vain fails here, and says where.
PATIENCE = 20.0


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    test = pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names})
    hoopsnake.run(asyncio.wait_for(test, PATIENCE))
    return True
