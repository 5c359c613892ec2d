"""`hoop new`: a project that passes its own tests, and names that are none."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.request import urlopen

import pytest
from commands import hoop, serving

import hoopsnake


def test_the_project_passes_its_own_tests(tmp_path: Path) -> None:
    ending = hoop("new", "corner-shop", cwd=tmp_path)

    assert (ending.status, ending.errors) == (0, "")
    assert "hoop dev corner_shop.web" in ending.output
    project = tmp_path / "corner-shop"
    done = subprocess.run(
        (
            sys.executable,
            "-W",
            "error",
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:asyncio",
        ),
        cwd=project,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


def test_the_project_is_whole_and_is_served(tmp_path: Path) -> None:
    hoop("new", "corner-shop", cwd=tmp_path)
    project = tmp_path / "corner-shop"

    files = {str(each.relative_to(project)) for each in project.rglob("*") if each.is_file()}
    assert files == {
        ".dockerignore",
        ".gitignore",
        "Dockerfile",
        "README.md",
        "corner_shop/__init__.py",
        "corner_shop/web.py",
        "pyproject.toml",
        "tests/test_web.py",
    }
    settings = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    assert settings["name"] == "corner-shop"
    assert settings["dependencies"] == [f"hoopsnake[web]>={hoopsnake.__version__}"]
    assert '"corner_shop.web:app"' in (project / "Dockerfile").read_text()
    for each in files:
        assert "$" not in (project / each).read_text(), f"{each} has a blank left"

    with serving("serve", "corner_shop.web:app", cwd=project) as (url, _):
        with urlopen(f"{url}/?name=you") as response:
            assert response.read() == b'{"hello":"you"}'


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "is no name"),
        ("Shop", "is no name"),
        ("shop--two", "is no name"),
        ("../shop", "is no name"),
        ("shop\n", "is no name"),
        ("2shops", "is no name"),
        ("shöp", "is no name"),
        ("class", "is a word of Python"),
        ("match", "is a word of Python"),
        ("json", "would hide the module 'json'"),
        ("hoopsnake", "would hide the module 'hoopsnake'"),
        ("tests", "would hide the module 'tests'"),
    ],
)
def test_a_name_that_cannot_be_one_is_refused(tmp_path: Path, name: str, why: str) -> None:
    ending = hoop("new", "--", name, cwd=tmp_path)

    assert (ending.status, ending.output) == (2, "")
    assert why in ending.errors
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_already_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "mine").write_text("of great value")
    ending = hoop("new", "shop", cwd=tmp_path)

    assert (ending.status, ending.output) == (1, "")
    assert ending.errors == "hoop: error: 'shop' is there already; nothing was changed\n"
    assert [each.name for each in (tmp_path / "shop").iterdir()] == ["mine"]
