"""Keeps the arrows of ARCHITECTURE.md, and those rules of the house that a program can check."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hoopsnake

ROOT = Path(__file__).parents[1]
CRATES = ROOT / "crates"
PACKAGE = ROOT / "python" / "hoopsnake"

# Which crate may build on which of ours: an arrow that is not here does not exist.
ARROWS: dict[str, set[str]] = {
    "hoop-sched": set(),
    "hoop-asgi": set(),
    "hoop-fetch": set(),
    "hoop-guard": set(),
    "hoop-form": set(),
    "hoop-http": set(),
    "hoop-http1": set(),
    "hoop-http2": set(),
    "hoop-limits": set(),
    "hoop-route": set(),
    "hoop-websocket": set(),
    "hoop-net": {
        "hoop-fetch",
        "hoop-http",
        "hoop-http1",
        "hoop-http2",
        "hoop-limits",
        "hoop-websocket",
    },
    "hoop-python": {
        "hoop-asgi",
        "hoop-fetch",
        "hoop-form",
        "hoop-guard",
        "hoop-http",
        "hoop-net",
        "hoop-route",
        "hoop-sched",
    },
}
PURE = (
    "hoop-asgi",
    "hoop-fetch",
    "hoop-form",
    "hoop-guard",
    "hoop-http",
    "hoop-http1",
    "hoop-http2",
    "hoop-limits",
    "hoop-route",
    "hoop-sched",
    "hoop-websocket",
)
# What a pure crate may use of others: nothing that knows of time, threads, sockets or Python.
PURE_MAY_USE = {
    "data-encoding",
    "flate2",
    "form_urlencoded",
    "httparse",
    "itoa",
    "md-5",
    "memchr",
    "percent-encoding",
    "psl",
    "regex",
    "ryu",
    "sha2",
    "thiserror",
    "url",
}
# How an impure crate would give itself away in its source.
IMPURITIES = re.compile(
    r"std::(?:thread|net|fs|process|io|env|os)\b|\bInstant\b|\bSystemTime\b|\btokio\b|\bpyo3\b"
)
LONGEST_FILE = 800
LONGEST_FUNCTION = 70


def manifest(crate: str) -> dict[str, Any]:
    return tomllib.loads((CRATES / crate / "Cargo.toml").read_text())


def dependencies(crate: str, *, of_tests: bool = False) -> set[str]:
    """What a crate depends on, for every platform."""
    tables = ["dependencies", "build-dependencies"] + ["dev-dependencies"] * of_tests
    everything = manifest(crate)
    sections = [everything, *everything.get("target", {}).values()]
    return {name for section in sections for table in tables for name in section.get(table, {})}


def rust_files(folder: Path = CRATES) -> list[Path]:
    return sorted(folder.rglob("*.rs"))


def code_of(source: str) -> str:
    """Rust without comments, and without the tests at its end."""
    source = re.split(r"^#\[cfg\(test\)\]", source, maxsplit=1, flags=re.MULTILINE)[0]
    return re.sub(r"//.*", "", source)


def all_modules() -> Iterator[Path]:
    for folder in ("crates", "python", "tests", "bench", "examples", "scripts"):
        for path in sorted((ROOT / folder).rglob("*")):
            hidden = any(part.startswith(".") or part == "target" for part in path.parts)
            if path.suffix in (".rs", ".py", ".pyi") and not hidden:
                yield path


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def places(pattern: str, files: list[Path]) -> set[str]:
    """In the code of which files a pattern occurs."""
    return {name_of(path) for path in files if re.search(pattern, code_of(path.read_text()))}


def test_comments_and_tests_are_no_code() -> None:
    source = "//! Knows no pyo3.\nuse std::net; // pyo3\n#[cfg(test)]\nmod tests { use pyo3; }\n"
    assert "pyo3" not in code_of(source)
    assert IMPURITIES.search(code_of(source))


def test_every_crate_is_on_the_map() -> None:
    assert {path.parent.name for path in CRATES.glob("*/Cargo.toml")} == set(ARROWS)


@pytest.mark.parametrize("crate", ARROWS)
def test_a_crate_builds_only_on_what_the_map_allows(crate: str) -> None:
    ours = {name for name in dependencies(crate, of_tests=True) if name in ARROWS}
    assert ours == ARROWS[crate]


@pytest.mark.parametrize("crate", PURE)
def test_a_pure_crate_knows_no_runtime_no_python_and_no_clock(crate: str) -> None:
    assert dependencies(crate) <= PURE_MAY_USE
    for path in rust_files(CRATES / crate):
        found = IMPURITIES.search(code_of(path.read_text()))
        assert found is None, f"{name_of(path)} uses {found.group()}"


@pytest.mark.parametrize("crate", PURE)
def test_a_pure_crate_forbids_unsafe_code(crate: str) -> None:
    assert "#![forbid(unsafe_code)]" in (CRATES / crate / "src" / "lib.rs").read_text()


def test_only_hoop_python_knows_pyo3() -> None:
    with_pyo3 = {crate for crate in ARROWS if "pyo3" in dependencies(crate, of_tests=True)}
    assert with_pyo3 == {"hoop-python"}
    outside = [path for path in rust_files() if "hoop-python" not in path.parts]
    assert places("pyo3", outside) == set()


def test_hoop_net_never_names_python() -> None:
    assert places("(?i)python|asgi|asyncio", rust_files(CRATES / "hoop-net")) == set()


def test_the_limit_of_the_bench_is_free_of_python_and_of_us() -> None:
    bench = tomllib.loads((ROOT / "bench" / "plain-hyper" / "Cargo.toml").read_text())
    used = set(bench["dependencies"])
    assert "hyper" in used
    assert not {name for name in used if name.startswith("hoop-") or name == "pyo3"}


def test_no_code_of_ours_starts_a_thread() -> None:
    assert (
        places(r"thread::(?:spawn|Builder)|spawn_blocking|new_multi_thread", rust_files()) == set()
    )


def test_the_gil_is_given_up_in_one_place_alone() -> None:
    """While the thread parks. Under load it is Python code that hands it over, where asked to."""
    assert places(r"PyEval_SaveThread|\.detach\(|allow_threads", rust_files()) == {
        "crates/hoop-python/src/event_loop/runtime.rs",
    }


def test_two_types_alone_are_declared_safe_to_share() -> None:
    assert places(r"unsafe impl(?:<\w+>)? (?:Send|Sync)\b", rust_files()) == {
        "crates/hoop-python/src/event_loop/runtime.rs",
        "crates/hoop-python/src/gil_cell.rs",
    }


def rules_at_head(source: str) -> set[str]:
    """The numbers of the access rules in the comment that opens a module."""
    head = re.match(r"(?://!.*\n)+", source)
    return set(re.findall(r"^//! (\d+)\. ", head.group(), re.MULTILINE)) if head else set()


def test_a_module_that_declares_something_safe_begins_with_its_rules() -> None:
    for path in rust_files():
        source = path.read_text()
        rules = rules_at_head(source)
        if "unsafe impl" in code_of(source):
            assert {"1", "2", "3"} <= rules, f"{name_of(path)} has no numbered rules at its head"
        for reference in re.findall(r"// SAFETY: rules? (\d+)(?: and (\d+))?", source):
            named = {number for number in reference if number}
            assert named <= rules, f"{name_of(path)} names rule {named - rules}, which it lacks"


def test_modules_have_bounds_and_say_what_they_are_for() -> None:
    faults = []
    for path in all_modules():
        source = path.read_text()
        opening = "//! " if path.suffix == ".rs" else '"""'
        if not source.startswith(opening) and not source.startswith("#!/"):
            faults.append(f"{name_of(path)} does not open with what it is for")
        if source.count("\n") > LONGEST_FILE:
            faults.append(f"{name_of(path)} has more than {LONGEST_FILE} lines")
        if re.search(r"(?:^|_)(?:utils?|helpers?|misc|common)$", path.stem):
            faults.append(f"{name_of(path)} has a name that says nothing")
    assert faults == []


def test_functions_have_bounds() -> None:
    faults = []
    for path in all_modules():
        if path.suffix == ".rs" or path.name == "await_outside.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length >= LONGEST_FUNCTION:
                    faults.append(f"{name_of(path)}: {node.name} has {length} lines")
    assert faults == []


def test_the_package_needs_nothing_but_python() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["dependencies"] == []
    allowed = {"hoopsnake", *sys.stdlib_module_names}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{name_of(path)} imports relatively"
                names = [node.module or ""]
            else:
                continue
            foreign = {name for name in names if name.partition(".")[0] not in allowed}
            if path.is_relative_to(PACKAGE / "web") and node.col_offset > 0:
                # Where a function imports it, for the application that has it and needs it.
                optional = {"cryptography", "msgspec", "pydantic"}
                foreign = {name for name in foreign if name.partition(".")[0] not in optional}
            assert foreign == set(), f"{name_of(path)} imports {foreign}"


def test_every_public_name_has_a_docstring() -> None:
    public = [getattr(hoopsnake, name) for name in hoopsnake.__all__ if name != "__version__"]
    for thing in public:
        assert (thing.__doc__ or "").strip(), f"{thing} has no docstring"
    own = [name for name in vars(hoopsnake.EventLoop) if not name.startswith("_")]
    assert "run_forever" in own
    for name in own:
        assert vars(hoopsnake.EventLoop)[name].__doc__, f"EventLoop.{name} has no docstring"


def test_the_private_names_of_asyncio_that_the_loop_declares_are_there() -> None:
    declared = set(hoopsnake.EventLoop.__annotations__)
    assert "_check_closed" in declared
    loop = hoopsnake.new_event_loop()
    try:
        assert {name for name in declared if not hasattr(loop, name)} == set()
    finally:
        loop.close()


def test_modules_of_tests_have_names_of_their_own() -> None:
    # pytest imports them by their names alone: of two alike the second cannot be collected.
    names = Counter(path.name for path in (ROOT / "tests").rglob("*.py"))
    shared = {name for name, count in names.items() if count > 1} - {"conftest.py", "__init__.py"}
    assert not shared
