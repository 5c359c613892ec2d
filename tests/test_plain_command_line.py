"""A plain command line of `hoop serve` is read as argparse reads it, which is then not loaded."""

from __future__ import annotations

import random
import subprocess
import sys
from functools import cache

import pytest

from hoopsnake._cli.arguments import command_parser
from hoopsnake._cli.options import all_options
from hoopsnake._cli.plain_line import read_plainly

FLAGS = [option.flag for _, option in all_options().values()]
ODD = (
    *(f"--no-{flag[2:]}" for flag in FLAGS),
    *("--config", "--print-config", "--no-", "--app", "--", "-", "-h", "--help", "-p", "--por"),
)
VALUES = (
    *("shop.web:app", "another:app", "", "two words", "-1", "1", "0", "10", "1.5", "1K", "660"),
    *("info", "on", "off", "required", "/prefix", "/a=b", "a:1", "unix:/x", "gzip,br", "x=y", "=="),
)


parser = cache(command_parser)


def by_argparse(line: list[str]) -> dict[str, object] | None:
    try:
        read = vars(parser().parse_args(["serve", *line]))
    except SystemExit:
        return None
    return {name: value for name, value in read.items() if name not in ("command", "version")}


@pytest.mark.parametrize(
    "line",
    [
        "shop.web:app",
        "shop.web:app --host 0.0.0.0 --port 80",
        "--port=80 shop.web:app",
        "shop.web:create --factory --access-log --no-http2",
        "app --bind a:1 --bind=unix:/run/x --compress gzip,br",
        "app --static /a=b --static /c=d --uds-permissions 660",
        "--config hoop.toml",
        "--port 1 --port 2 app",
        "",
    ],
)
def test_a_plain_line_is_read(line: str) -> None:
    read = read_plainly(line.split())
    assert read is not None
    assert read == by_argparse(line.split())


@pytest.mark.parametrize(
    "line",
    [
        "--help",
        "-h",
        "app --print-config",
        "app another",
        "app --port",
        "app --port x",
        "app --port -1",
        "app --no-port",
        "app --http2=on",
        "app --nothing",
        "app --prot 80",
        "-- app",
        "--app app",
    ],
)
def test_what_has_to_be_explained_is_left_to_argparse(line: str) -> None:
    assert read_plainly(line.split()) is None


def test_any_line_that_is_read_is_read_as_argparse_would() -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    taken = 0
    for _ in range(4000):
        line: list[str] = []
        for _ in range(chance.randrange(1, 4)):
            line.append(chance.choice(FLAGS if chance.random() < 0.8 else ODD))
            if chance.random() < 0.7:
                line.append(chance.choice(VALUES))
            elif chance.random() < 0.5:
                line[-1] += "=" + chance.choice(VALUES)
        read = read_plainly(line)
        if read is not None:
            taken += 1
            assert read == by_argparse(line), line
    assert taken > 200, taken


def test_a_plain_line_loads_neither_argparse_nor_ssl() -> None:
    # The application that is named is not there: the command ends where it would load it.
    program = """
import sys
from hoopsnake._cli import main
assert main(["serve", "no_such_module", "--port", "0"]) == 2
print({"argparse", "tomllib", "json", "_ssl"} & {*sys.modules})
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.stdout == "set()\n", ended.stderr
