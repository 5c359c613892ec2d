"""`hoop new`: a small project that passes its own tests."""

from __future__ import annotations

import argparse
import keyword
import os
import re
import shutil
import sys
from importlib.resources import files
from pathlib import Path
from string import Template

import hoopsnake
from hoopsnake._cli.complaint import complain

__all__ = ["new_command"]

# Where each file of the template goes; `$package` is the name of the package.
_FILES = {
    "pyproject.toml.txt": "pyproject.toml",
    "readme.md.txt": "README.md",
    "dockerfile.txt": "Dockerfile",
    "dockerignore.txt": ".dockerignore",
    "gitignore.txt": ".gitignore",
    "package.py.txt": "$package/__init__.py",
    "web.py.txt": "$package/web.py",
    "test_web.py.txt": "tests/test_web.py",
}
_TAKEN = ("hoopsnake", "pydantic", "pytest", "test", "tests")


def new_command(chosen: argparse.Namespace) -> int:
    """Write the project into a new folder of its name."""
    problem = _problem(chosen.name)
    if problem is not None:
        return complain(problem, exit_status=2)
    folder = Path(chosen.name)
    try:
        folder.mkdir()
    except FileExistsError:
        return complain(f"{chosen.name!r} is there already; nothing was changed", exit_status=1)
    except OSError as error:
        return complain(f"{chosen.name!r} cannot be made: {error.strerror}", exit_status=1)
    try:
        _write(folder, chosen.name)
    except OSError as error:
        # Half a project helps nobody; the folder is ours, made just now.
        shutil.rmtree(folder, ignore_errors=True)
        return complain(f"{chosen.name!r} cannot be written: {error.strerror}", exit_status=1)
    package = _package(chosen.name)
    print(f"Made {chosen.name}{os.sep}. What to do next:\n")
    print(f"  cd {chosen.name}")
    print("  pip install -e '.[test]'")
    print("  pytest")
    print(f"  hoop dev {package}.web")
    return 0


def _write(folder: Path, name: str) -> None:
    words = {"name": name, "package": _package(name), "version": hoopsnake.__version__}
    template = files("hoopsnake._cli").joinpath("project")
    for source, target in _FILES.items():
        path = folder / Template(target).substitute(words)
        path.parent.mkdir(exist_ok=True)
        text = template.joinpath(source).read_text("utf-8")
        path.write_text(Template(text).substitute(words), "utf-8")


def _package(name: str) -> str:
    return name.replace("-", "_")


def _problem(name: str) -> str | None:
    """Say what is wrong with a name, that of a distribution and of a package at once."""
    if not re.fullmatch("[a-z][a-z0-9]*([-_][a-z0-9]+)*", name):
        return (
            f"{name!r} is no name for a project: small letters, digits, and single dashes or "
            "underscores between, a letter first, such as corner-shop"
        )
    package = _package(name)
    if keyword.iskeyword(package) or keyword.issoftkeyword(package):
        return f"{name!r} is a word of Python itself: its package could not be imported"
    if package in sys.stdlib_module_names or package in _TAKEN:
        return f"{name!r} would hide the module {package!r}, which is in use: take another name"
    return None
