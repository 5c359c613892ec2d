"""What README and guide show works: programs run, applications are served, commands exist.

A block of Python begins with the name of its file. One that calls `hoopsnake.serve` is a server,
any other one that defines `app` is an application, and the rest are programs, whose output is the
block of text that follows.
"""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

import pytest

from hoopsnake._cli.arguments import command_parser, fetch_parser
from hoopsnake._cli.settings import chosen_settings

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guide").glob("*.md"))]
DOCUMENTS = [*PAGES, *ROOT.glob("*.md"), *sorted((ROOT / "docs" / "adr").glob("*.md"))]
SECONDS = 30

# What each application answers to GET /.
ANSWERS = {
    "hello.py": (200, b'{"hello":"world"}'),
    "shop.py": (200, b'"welcome"'),
    "shop_server.py": (200, b"welcome"),
    "limited.py": (200, b"welcome"),
    "bounded.py": (200, b'"found"'),
    "logged.py": (204, b""),
    "who.py": (200, b"You are somebody.\n"),
    "download.py": (200, b"tea, coffee\n"),
    "shelf.py": (200, b'{"hello":"somebody"}'),
    "ledger.py": (200, b'["one line"]'),
    "moved.py": (200, b'{"page":1}'),
    "parrot.py": (200, b'"connect to /ws"'),
    "leaflet.py": (200, b"tea is good for you\n"),
    "chat.py": (200, b"0"),
    "ticker.py": (200, b"{}"),
    "vault.py": (200, b'"a door"'),
    "visits.py": (200, b'{"visits":1}'),
    "relay.py": (200, b'"HELLO"'),
    "gate.py": (200, b'"open"'),
    "greeting.py": (200, b"Hello from a thread\n"),
}


class Block(NamedTuple):
    """A fenced block of a page, and the text block that follows it, if one does."""

    page: str
    language: str
    text: str
    output: str | None

    @property
    def file(self) -> str:
        named = re.match(r"# (\w+\.py)\n", self.text)
        assert named, f"a block of Python in {self.page} does not begin with the name of its file"
        return named.group(1)

    @property
    def is_server(self) -> bool:
        return "hoopsnake.serve(" in self.text

    @property
    def is_application(self) -> bool:
        return (
            bool(re.search(r"^app = |^(async )?def app\(", self.text, re.M)) and not self.is_server
        )


def blocks_of(page: Path) -> list[Block]:
    found = re.findall(r"^```(\w+)\n(.*?)^```$", page.read_text(), re.M | re.S)
    blocks = []
    for number, (language, text) in enumerate(found):
        output = None
        for following, following_text in found[number + 1 :]:
            if following == "python":
                break
            if following == "text":
                output = following_text
                break
        blocks.append(Block(page.name, language, text, output))
    return blocks


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
PYTHON = [block for block in BLOCKS if block.language == "python"]
APPLICATIONS = [block for block in PYTHON if block.is_application]
SERVERS = [block for block in PYTHON if block.is_server]
PROGRAMS = [block for block in PYTHON if not (block.is_application or block.is_server)]


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every command line of the pages, without variables before it and the comment behind it."""
    for block in BLOCKS:
        lines = block.text.splitlines()
        if block.language == "ini":
            lines = [line.removeprefix("ExecStart=") for line in lines if "ExecStart=" in line]
        elif block.language != "sh":
            continue
        for line in lines:
            words = shlex.split(line, comments=True)
            while words and re.match(r"[A-Z_]+=", words[0]):
                words.pop(0)
            if words:
                yield block.page, words


@contextmanager
def running(folder: Path, *command: str) -> Iterator[str]:
    """Start a server in `folder`, and yield its address once it says that it serves."""
    with subprocess.Popen(
        [sys.executable, *command], cwd=folder, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        try:
            said = []
            for line in process.stderr:
                said.append(line)
                if address := re.search(r"Serving on (http://\S+)", line):
                    break
            else:
                pytest.fail(f"{command} did not serve:\n{''.join(said)}")
            yield address.group(1)
            process.send_signal(signal.SIGTERM)
            _, rest = process.communicate(timeout=SECONDS)
            assert process.returncode == 0, rest
        finally:
            process.kill()


def look_at(address: str, block: Block) -> None:
    with urlopen(address, timeout=SECONDS) as answer:
        assert (answer.status, answer.read()) == ANSWERS[block.file]


def test_the_pages_have_blocks_of_every_kind() -> None:
    assert len(PAGES) >= 5
    assert APPLICATIONS and SERVERS and PROGRAMS
    assert {block.file for block in APPLICATIONS + SERVERS} == set(ANSWERS)


def test_the_example_of_the_readme_has_ten_lines() -> None:
    first = next(block for block in PYTHON if block.page == "README.md")
    assert len(first.text.splitlines()) == 10


@pytest.mark.parametrize("block", PROGRAMS, ids=lambda block: f"{block.page}-{block.file}")
def test_a_program_prints_what_the_page_says(block: Block, tmp_path: Path) -> None:
    assert block.output is not None, f"{block.page} does not say what {block.file} prints"
    (tmp_path / block.file).write_text(block.text)
    done = subprocess.run(
        [sys.executable, "-m", "hoopsnake", "run", block.file],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, block.output, "")


@pytest.mark.parametrize("block", APPLICATIONS, ids=lambda block: f"{block.page}-{block.file}")
def test_an_application_is_served(block: Block, tmp_path: Path) -> None:
    (tmp_path / block.file).write_text(block.text)
    name = f"{Path(block.file).stem}:app"
    with running(tmp_path, "-m", "hoopsnake", "serve", name, "--port", "0") as address:
        look_at(address, block)


@pytest.mark.parametrize("block", SERVERS, ids=lambda block: f"{block.page}-{block.file}")
def test_a_program_that_serves_does(block: Block, tmp_path: Path) -> None:
    # The port of the page may be taken on this machine.
    text, replaced = re.subn(r"port=\d+", "port=0", block.text)
    assert replaced == 1
    (tmp_path / block.file).write_text(text)
    with running(tmp_path, block.file) as address:
        look_at(address, block)


def test_the_commands_of_the_pages_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    written = {block.file for block in PYTHON} | {"hoop.toml"}
    seen = set()
    for page, (program, *arguments) in commands():
        name = Path(program).name
        seen.add(name)
        if name == "make":
            assert arguments[0] in targets, f"{page}: make {arguments[0]}"
        elif arguments[0] == "serve":
            assert name == "hoop", f"{page}: {program}"
            # argparse ends the test if an option is unknown.
            chosen = command_parser().parse_args(arguments)
            if hasattr(chosen, "app"):
                assert f"{chosen.app.partition(':')[0]}.py" in written
            else:
                assert chosen.config in written
        elif arguments[0] in ("dev", "routes", "openapi"):
            chosen = command_parser().parse_args(arguments)
            assert f"{chosen.app.partition(':')[0]}.py" in written
        elif arguments[0] == "fetch":
            fetch_parser().parse_intermixed_args(arguments[1:])
        elif arguments[0] == "new":
            command_parser().parse_args(arguments)
        else:
            assert (name, arguments[0]) == ("hoop", "run"), f"{page}: {program}"
            assert arguments[1] in written
    assert seen == {"hoop", "make"}


def test_the_settings_files_of_the_pages_are_read(tmp_path: Path) -> None:
    files = [
        found
        for page in PAGES
        for found in re.findall(r"^```toml\n(# hoop\.toml\n.*?)^```", page.read_text(), re.M | re.S)
    ]
    assert files
    for text in files:
        (tmp_path / "hoop.toml").write_text(text)
        chosen_settings({"config": str(tmp_path / "hoop.toml")}, {}).server_config()


@pytest.mark.parametrize("document", sorted(set(DOCUMENTS)), ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text()):
        # `make bench` writes this one.
        if target != "bench/results/comparison.md":
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_the_lessons_of_the_guide_are_all_the_programs_there_are() -> None:
    lessons = (ROOT / "docs" / "guide" / "async-lessons.md").read_text()
    named = re.findall(r"^- \[(\w+\.py)\]", lessons, re.M)
    assert sorted(named) == sorted(path.name for path in (ROOT / "examples" / "guide").glob("*.py"))


def test_the_page_of_libraries_has_the_versions_that_are_tested() -> None:
    page = (ROOT / "docs" / "guide" / "libraries.md").read_text()
    told = dict(re.findall(r"^\| ([a-z-]+) +\| ([\d.]+) +\|", page, re.M))
    files = (ROOT / "requirements" / name for name in ("test.txt", "ecosystem.txt"))
    pinned = dict(
        re.findall(r"^([\w-]+)(?:\[.+\])?==(.+)$", "\n".join(map(Path.read_text, files)), re.M)
    )
    assert len(told) >= 13
    assert told == {name: pinned[name] for name in told}


def test_the_page_of_frameworks_has_the_versions_that_are_tested() -> None:
    page = (ROOT / "docs" / "guide" / "frameworks.md").read_text()
    rows = re.findall(r"^\| (\w+)(?: as WSGI)? \| ([\d.]+(?:, [\d.]+)?) \|", page, re.M)
    told = {(name.lower(), version) for name, versions in rows for version in versions.split(", ")}
    pinned = {
        found
        for path in (ROOT / "requirements").glob("*.txt")
        for found in re.findall(r"^([\w-]+)==([\d.]+)", path.read_text(), re.M)
    }
    # It comes with FastAPI.
    assert told - pinned == {each for each in told if each[0] == "starlette"}
    assert len(rows) >= 18
