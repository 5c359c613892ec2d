"""Has a process load `ssl` when it is used, and not because asyncio mentions it (ADR 0034)."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec, PathFinder
from threading import RLock
from types import ModuleType
from typing import Any

__all__ = ["put_off_ssl"]

# How a module's names are reached past what `_Late` makes of `__dict__`.
_NAMES: Any = type.__getattribute__(ModuleType, "__dict__")["__dict__"]
# One for all late modules, as loading one may ask for another.
_LOADING = RLock()
_being_loaded: list[ModuleType] = []


def put_off_ssl() -> None:
    """Import asyncio, and leave `ssl` and `asyncio.sslproto` to whoever first looks into them.

    Both are in `sys.modules` from now on, and fill themselves then. Where one of them or asyncio
    is loaded already, or Python was built without ssl, nothing is done.
    """
    if {"asyncio", "ssl"} & sys.modules.keys():
        return
    package = PathFinder.find_spec("asyncio")
    if package is None:
        return
    found = [
        PathFinder.find_spec("ssl"),
        PathFinder.find_spec("asyncio.sslproto", package.submodule_search_locations),
    ]
    late = [_late(spec) for spec in found if spec is not None and spec.loader is not None]
    if len(late) < len(found) or not _has("_ssl"):
        return
    for module in late:
        sys.modules[module.__name__] = module
    import asyncio

    # The import system does so once a module is loaded, and takes these for loaded.
    asyncio.sslproto = late[1]  # type: ignore[attr-defined]


def _has(name: str) -> bool:
    return name in sys.builtin_module_names or PathFinder.find_spec(name) is not None


def _late(spec: ModuleSpec) -> ModuleType:
    module = _Late(spec.name)
    # What the import system gives to a module before it runs it, but for `__builtins__`.
    known = {
        "__spec__": spec,
        "__loader__": spec.loader,
        "__file__": spec.origin,
        "__cached__": spec.cached,
        "__package__": spec.parent,
    }
    _NAMES.__get__(module).update(known)
    return module


class _Late(ModuleType):
    """A module that is loaded by the first look at what it has, from whichever thread.

    `importlib.util.LazyLoader` would do the same, but for two threads at once, which on Python
    before 3.12.3 see it half loaded (gh-114763).
    """

    def __getattr__(self, name: str) -> Any:
        _load(self)
        return ModuleType.__getattribute__(self, name)

    def __setattr__(self, name: str, value: object) -> None:
        # Whoever replaces a function must not have that undone by the module's own code.
        _load(self)
        ModuleType.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        _load(self)
        ModuleType.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        _load(self)
        return [*ModuleType.__dir__(self)]

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        _load(self)
        names: dict[str, Any] = _NAMES.__get__(self)
        return names


def _load(module: ModuleType) -> None:
    """Run a module's code, unless it has run.

    Other threads wait; the code itself finds what it has made so far, as in any module.
    """
    with _LOADING:
        spec = module.__spec__
        if type(module) is not _Late or module in _being_loaded or spec is None:
            return
        assert spec.loader is not None, "only such are late"
        _being_loaded.append(module)
        try:
            spec.loader.exec_module(module)
            object.__setattr__(module, "__class__", ModuleType)
        finally:
            _being_loaded.remove(module)
