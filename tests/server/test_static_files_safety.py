"""No request target leads out of a folder: a corpus of known tricks, and targets made at random."""

from __future__ import annotations

import os
import random
import socket
from pathlib import Path
from typing import Any

import pytest
from applications import hello
from served import served
from wire import Answer, Wire

SECRET = b"the secret"
INSIDE = b"inside"

TRICKS = (
    "../secret",
    "../../../../../../../../etc/passwd",
    "a/../../secret",
    "%2e%2e/secret",
    "%2E%2E%2Fsecret",
    "..%2fsecret",
    "..%5csecret",
    "..\\secret",
    "%252e%252e/secret",
    "%252e%252e%252fsecret",
    "..%c0%afsecret",
    "%c0%ae%c0%ae/secret",
    "%uff0e%uff0e/secret",
    "....//secret",
    "..;/secret",
    ".%00./secret",
    "file%00.txt",
    "file.txt%00",
    "%2e/file.txt",
    "./file.txt",
    "/file.txt",
    "//etc/passwd",
    "%2fetc%2fpasswd",
    "a//file.txt",
    "a/%2e%2e/%2e%2e/secret",
    ".hidden",
    "%2ehidden",
    ".git/config",
    "a/.hidden",
    "link",
    "absolute",
    "upward/secret",
    "proc/self/environ",
    "loop",
    "file.txt/../../secret",
    "file.txt/",
    "file.txt/.",
    "C:/windows/win.ini",
    "C%3A%5Cwindows",
    "file.txt::$DATA",
    "%",
    "%2",
    "%zz",
    "a" * 300,
    "a/" * 2000,
    "pipe",
    "device",
    "socket",
    "unreadable/",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_bytes(SECRET)
    inside = tmp_path / "inside"
    (inside / "a").mkdir(parents=True)
    (inside / ".git").mkdir()
    for name in ("file.txt", "a/file.txt", ".hidden", "a/.hidden", ".git/config", "é ü.txt"):
        (inside / name).write_bytes(INSIDE)
    (inside / "link").symlink_to("../secret")
    (inside / "absolute").symlink_to(tmp_path / "secret")
    (inside / "upward").symlink_to("..")
    (inside / "proc").symlink_to("/proc")
    (inside / "loop").symlink_to("loop")
    (inside / "within").symlink_to("a/file.txt")
    os.mkfifo(inside / "pipe")
    (inside / "device").symlink_to("/dev/zero")
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(str(inside / "socket"))
    unix.close()
    return inside


async def ask(server: Any, target: str) -> Answer:
    async with await Wire.open(("127.0.0.1", server.port)) as wire:
        head = f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        await wire.send(head.encode("latin-1"))
        return await wire.answer()


@pytest.mark.parametrize("prefix", ["/files/", "/"])
async def test_known_tricks_find_nothing(folder: Path, prefix: str) -> None:
    async with served(hello, static=((prefix, folder),)) as server:
        for trick in TRICKS:
            answer = await ask(server, prefix + trick)
            assert 400 <= answer.status < 500, (trick, answer)
            assert answer.body not in (SECRET, INSIDE) and b"root:" not in answer.body, trick
        # What is allowed is found, percent-encoded or not, and links that stay within.
        for path in ("file.txt", "%66ile.txt", "a/file.txt", "%C3%A9%20%C3%BC.txt", "within"):
            assert (await ask(server, prefix + path)).body == INSIDE, path


async def test_hidden_files_are_served_where_asked_for(folder: Path) -> None:
    async with served(hello, static=(("/files", folder),), static_hidden=True) as server:
        for path in (".hidden", "a/.hidden", ".git/config"):
            assert (await ask(server, f"/files/{path}")).body == INSIDE
        for path in ("..", "../secret", "a/../../secret", "%2e%2e/secret"):
            assert (await ask(server, f"/files/{path}")).status == 404


async def test_a_redirect_never_leads_to_another_host(tmp_path: Path) -> None:
    for name in ("example.org", "a"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.html").write_bytes(INSIDE)
    async with served(hello, static=(("/", tmp_path),)) as server:
        assert (await ask(server, "/example.org")).one("location") == "/example.org/"
        for target in (
            "//example.org",
            "/%2fexample.org",
            "/\\example.org",
            "/%5cexample.org",
            "//example.org/%2e%2e",
            "/a/..//example.org",
            "///example.org",
        ):
            answer = await ask(server, target)
            assert (answer.status // 100, answer.one("location")) == (4, None), target


async def test_any_target_finds_a_file_inside_or_nothing(folder: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    pieces = (
        *("..", ".", "/", "\\", "%2e", "%2E%2e", "%2f", "%5c", "%00", "%25", "%", "~", ";", ":"),
        *("file.txt", "a", "link", "upward", "absolute", "proc", "self", "secret", "etc", "passwd"),
        *(
            "%c0%ae",
            "%ef%bc%8e",
            "\xff",
            "é",
            ".hidden",
            "index.html",
            "+",
            "?",
            "#",
            "@",
            "within",
        ),
    )
    async with served(hello, static=(("/files", folder),)) as server:
        for _ in range(800):
            target = "".join(dice.choices(pieces, k=dice.randrange(1, 9)))
            answer = await ask(server, f"/files/{target}")
            assert answer.status == 200 or 400 <= answer.status < 500, (target, answer)
            assert (answer.status == 200) == (answer.body == INSIDE), (target, answer)
