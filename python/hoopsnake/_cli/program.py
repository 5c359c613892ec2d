"""Finds the program that `hoop run` was given, and makes the `__main__` module that it runs as."""

from __future__ import annotations

import builtins
import importlib.util
import os
import sys
import warnings
from importlib.machinery import (
    BuiltinImporter,
    ModuleSpec,
    PathFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from types import CodeType, ModuleType

__all__ = ["Program", "ProgramError", "module_program", "script_program"]


class ProgramError(Exception):
    """The program cannot be run; the text is for the user, the status for the shell."""

    def __init__(self, message: str, *, exit_status: int) -> None:
        super().__init__(message)
        self.exit_status = exit_status


class Program:
    """A program that is ready to run as `__main__`."""

    def __init__(self, code: CodeType, main: ModuleType) -> None:
        self.code = code
        self.main = main

    def run(self) -> None:
        """Run it to its end, as the interpreter runs the program of its command line."""
        # Pickle and multiprocessing find the program's classes through this entry.
        sys.modules["__main__"] = self.main
        exec(self.code, self.main.__dict__)


def script_program(script: str, arguments: list[str]) -> Program:
    """Load what `python script` would run: a file, a directory, a zip archive or standard input.

    Sets `sys.argv` and `sys.path[0]`, which the program sees.
    """
    sys.argv[:] = [script, *arguments]
    if script == "-":
        _replace_first_path("")
        return _standard_input_program()
    path = script if os.path.isabs(script) else os.path.join(os.getcwd(), script)
    if os.path.isdir(path) or _is_archive(path):
        _replace_first_path(path)
        return _container_program(path)
    _replace_first_path(os.path.dirname(os.path.realpath(path)))
    return _file_program(path)


def module_program(name: str, arguments: list[str]) -> Program:
    """Load what `python -m name` would run: a module, or the `__main__` of a package.

    Sets `sys.argv` and `sys.path[0]`, which the packages around the module see when they are
    imported here.
    """
    sys.argv[:] = ["-m", *arguments]
    _replace_first_path(os.getcwd())
    spec = _find_module(name)
    if spec.submodule_search_locations is not None:
        spec = _find_module(f"{name}.__main__", package=name)
    program = _program_of_spec(spec, shown_name=name)
    sys.argv[0] = spec.origin or name
    return program


def _file_program(path: str) -> Program:
    try:
        with open(path, "rb") as file:
            source = file.read()
    except OSError as error:
        reason = f"[Errno {error.errno}] {error.strerror}"
        raise ProgramError(f"can't open file {path!r}: {reason}", exit_status=2) from None
    if path.endswith(".pyc"):
        compiled = SourcelessFileLoader("__main__", path)
        code = compiled.get_code("__main__")
        assert code is not None, "a file loader either returns code or raises"
        return Program(code, _main_module(path, loader=compiled))
    code = _compiled(source, path)
    return Program(code, _main_module(path, loader=SourceFileLoader("__main__", path)))


def _standard_input_program() -> Program:
    code = _compiled(sys.stdin.buffer.read(), "<stdin>")
    return Program(code, _main_module("<stdin>", loader=BuiltinImporter))


def _container_program(path: str) -> Program:
    """Load the `__main__` module of a directory or a zip archive."""
    spec = PathFinder.find_spec("__main__", [path])
    if spec is None or spec.loader is None:
        raise ProgramError(f"can't find '__main__' module in {path!r}", exit_status=1)
    return _program_of_spec(spec, shown_name="__main__")


def _is_archive(path: str) -> bool:
    """Tell whether Python can import from this file, as it can from a zip archive."""
    PathFinder.find_spec("__main__", [path])
    return sys.path_importer_cache.get(path) is not None


def _find_module(name: str, package: str | None = None) -> ModuleSpec:
    """Find a module to run; `package` is the name that was asked for if this is its `__main__`."""
    if name.startswith("."):
        raise ProgramError("Relative module names not supported", exit_status=1)
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError as error:
        # A package on the way is missing, or is no package. What a package's own code fails to
        # import is another matter: that error is the program's, and leaves with its traceback.
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        spec = None
    except ValueError:
        # A module that is imported already but has no spec, such as a hand-made one.
        spec = None
    if spec is None or (spec.loader is None and spec.submodule_search_locations is None):
        remark = f"; {package!r} is a package and cannot be directly executed" if package else ""
        raise ProgramError(f"No module named {name}{remark}", exit_status=1)
    _warn_of_early_import(name)
    return spec


def _warn_of_early_import(name: str) -> None:
    """Warn, as `python -m` does, of a module that its own package has imported before it runs."""
    package, _, _ = name.rpartition(".")
    existing = sys.modules.get(name)
    if package and existing is not None and not hasattr(existing, "__path__"):
        warnings.warn(
            f"{name!r} found in sys.modules after import of package {package!r}, but prior to "
            f"execution of {name!r}; this may result in unpredictable behaviour",
            RuntimeWarning,
            stacklevel=2,
        )


def _program_of_spec(spec: ModuleSpec, *, shown_name: str) -> Program:
    get_code = getattr(spec.loader, "get_code", None)
    code = get_code(spec.name) if get_code is not None else None
    if code is None:
        raise ProgramError(f"No code object available for {shown_name}", exit_status=1)
    main = _main_module(
        spec.origin, loader=spec.loader, spec=spec, package=spec.parent, cached=spec.cached
    )
    return Program(code, main)


def _compiled(source: bytes, path: str) -> CodeType:
    # dont_inherit: the `from __future__` lines of this module are not the program's.
    return compile(source, path, "exec", dont_inherit=True)


def _main_module(
    path: str | None,
    *,
    loader: object,
    spec: ModuleSpec | None = None,
    package: str | None = None,
    cached: str | None = None,
) -> ModuleType:
    """Make a module with the names that the interpreter gives to its own `__main__`."""
    main = ModuleType("__main__")
    names: dict[str, object] = {
        "__file__": path,
        "__loader__": loader,
        "__spec__": spec,
        "__package__": package,
        "__builtins__": builtins,
    }
    if sys.version_info < (3, 14):
        names |= {"__annotations__": {}, "__cached__": cached}
    main.__dict__.update(names)
    return main


def _replace_first_path(entry: str) -> None:
    """Put the program's directory where the interpreter had put ours, unless told not to (-P)."""
    if not sys.flags.safe_path:
        sys.path[0] = entry
