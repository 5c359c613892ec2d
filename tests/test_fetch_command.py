"""`hoop fetch`: a line for each URL, failures told apart, and runs that go on where one ended."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from commands import Ending, hoop

from hoopsnake._fetch.addresses import complete
from hoopsnake._fetch.bodies import file_name

COMMAND = (sys.executable, "-m", "hoopsnake", "fetch")


class Pages(BaseHTTPRequestHandler):
    """Pages of many kinds, and of their failures."""

    protocol_version = "HTTP/1.1"
    asked: list[str]
    release: threading.Event
    most_at_once: int
    at_once: int
    lock = threading.Lock()

    def do_GET(self) -> None:
        kind = type(self)
        with self.lock:
            kind.asked.append(self.path)
            kind.at_once += 1
            kind.most_at_once = max(kind.most_at_once, kind.at_once)
        try:
            self.answer()
        finally:
            with self.lock:
                kind.at_once -= 1

    do_POST = do_GET

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        page = self.path.split("/")[1]
        if page == "moved":
            self.reply(301, b"", location="/page/moved")
        elif page == "missing":
            self.reply(404, b"nothing")
        elif page == "flaky" and self.asked.count(self.path) == 1:
            self.reply(503, b"")
        elif page == "cut" and self.asked.count(self.path) == 1:
            self.send_response(200)
            self.send_header("content-length", "100")
            self.end_headers()
            self.wfile.write(b"half of it")
            self.close_connection = True
        elif page in ("stalls", "breaks"):
            self.send_response(200)
            self.send_header("content-length", "100")
            self.end_headers()
            self.wfile.write(b"half of it")
            self.wfile.flush()
            # The time that it takes; the test ends what takes longer.
            self.release.wait(30 if page == "stalls" else 0.3)
            self.close_connection = True
        elif page == "binary":
            self.reply(200, b"\x00\xff\xfe", content_type="application/octet-stream")
        elif page == "held":
            self.release.wait(30)
            self.reply(200, b"late")
        elif page == "echo":
            told = {"method": self.command, "x": self.headers["x-one"], "body": body.decode()}
            self.reply(200, json.dumps(told).encode())
        else:
            self.reply(200, f"page {self.path}".encode(), content_type="text/html")

    def reply(self, status: int, body: bytes, **fields: str) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


class Site:
    """A server of such pages, and what it was asked."""

    def __init__(self) -> None:
        fields = {"asked": [], "release": threading.Event(), "most_at_once": 0, "at_once": 0}
        self.pages: Any = type("OwnPages", (Pages,), fields)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self.pages)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.pages.release.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.close()


def records(text: str) -> dict[str, dict[str, Any]]:
    """The lines by the last part of their URL."""
    lines = [json.loads(line) for line in text.splitlines()]
    return {line["url"].rpartition("/")[2]: line for line in lines}


def fed(text: str, *arguments: str, cwd: Path) -> Ending:
    """Run it with something on standard input."""
    done = subprocess.run(
        (*COMMAND, *arguments), cwd=cwd, input=text, capture_output=True, text=True, timeout=50
    )
    return Ending(done.returncode, done.stdout, done.stderr)


def test_each_url_has_a_line(site: Site, tmp_path: Path) -> None:
    urls = [f"{site.url}/{path}" for path in ("page/a", "moved/b", "flaky/c")]
    ending = hoop("fetch", urls[0], "--sha256", *urls[1:], cwd=tmp_path)
    assert ending.status == 0, ending.errors
    lines = records(ending.output)
    assert set(lines) == {"a", "b", "c"}
    body = b"page /page/a"
    assert lines["a"] == {
        "url": urls[0],
        "final_url": urls[0],
        "status": 200,
        "elapsed": lines["a"]["elapsed"],
        "bytes": len(body),
        "attempts": 1,
        "error": None,
        "sha256": hashlib.sha256(body).hexdigest(),
    }
    assert 0 < lines["a"]["elapsed"] < 30
    assert lines["b"]["final_url"] == f"{site.url}/page/moved"
    assert lines["b"]["attempts"] == 2
    assert (lines["c"]["status"], lines["c"]["attempts"]) == (200, 2)
    assert ending.errors.startswith("3 of 3 fetched in ")


def test_a_url_has_the_scheme_that_it_begins_with() -> None:
    assert complete("a.example/?next=http://b.example/") == (
        "https://a.example/?next=http://b.example/"
    )
    assert complete("127.0.0.1:1/?u=http://x") == "https://127.0.0.1:1/?u=http://x"
    for url in ("http://a.example/", "HTTPS://a.example/?u=http://x", "git+x.y-z://a"):
        assert complete(url) == url


def test_what_fails_is_told_apart_and_summed_up(site: Site, tmp_path: Path) -> None:
    urls = [f"{site.url}/missing/{n}" for n in "ab"] + ["http://127.0.0.1:1/c", "http://[d"]
    ending = hoop("fetch", *urls, "--retries", "0", cwd=tmp_path)
    lines = records(ending.output)
    assert ending.status == 1
    assert (lines["a"]["status"], lines["a"]["error"]) == (404, None)
    assert lines["c"]["status"] is None
    assert (lines["c"]["error"]["type"], lines["c"]["error"]["phase"]) == (
        "ConnectError",
        "connect",
    )
    assert lines["c"]["error"]["message"].startswith("GET http://127.0.0.1:1/c: ")
    assert lines["[d"]["error"]["type"] == "InvalidURL"
    said = ending.errors.splitlines()
    assert said[0].startswith("0 of 4 fetched in ") and said[0].endswith("; 4 failed:")
    assert said[1] == f"  2 × 404 Not Found, first {said[1].rpartition(' ')[2]}"
    assert "  1 × ConnectError (connect phase), first http://127.0.0.1:1/c" in said
    assert hoop("fetch", urls[0], "-q", cwd=tmp_path).errors == ""


def test_method_headers_and_body_are_those_that_were_asked_for(site: Site, tmp_path: Path) -> None:
    (tmp_path / "body").write_text("from a file")
    arguments = ("-X", "post", "-H", "X-One: 1: 2", "--data", "@body", "--inline")
    ending = hoop("fetch", f"{site.url}/echo/e", *arguments, cwd=tmp_path)
    told = json.loads(records(ending.output)["e"]["body"])
    assert told == {"method": "POST", "x": "1: 2", "body": "from a file"}


@pytest.mark.parametrize("variable", [None, "http_proxy"])
def test_a_proxy_is_sent_everything(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str | None
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    url = "http://shop.invalid/page/a"
    if variable is None:
        monkeypatch.setenv("http_proxy", "http://nobody.invalid:3128")
        ending = hoop("fetch", url, "--inline", "--proxy", site.url, cwd=tmp_path)
    else:
        monkeypatch.setenv(variable, site.url)
        ending = hoop("fetch", url, "--inline", cwd=tmp_path)
    assert ending.status == 0, ending.errors
    # A proxy is asked for the whole URL (RFC 9112 section 3.2.2).
    assert records(ending.output)["a"]["body"] == f"page {url}"


def test_no_proxy_is_for_whatever_the_environment_says(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://nobody.invalid:3128")
    url = f"{site.url}/page/a"
    ending = hoop("fetch", url, "--inline", "--no-proxy", cwd=tmp_path)
    assert ending.status == 0, ending.errors
    assert records(ending.output)["a"]["body"] == "page /page/a"
    assert hoop("fetch", url, "--retries", "0", cwd=tmp_path).status == 1


def test_bodies_are_put_into_lines_or_files(site: Site, tmp_path: Path) -> None:
    urls = [f"{site.url}/page/a", f"{site.url}/binary/b", f"{site.url}/cut/c"]
    ending = hoop("fetch", *urls, "--inline", "--save-to", "pages", cwd=tmp_path)
    assert ending.status == 0, ending.errors
    lines = records(ending.output)
    assert lines["a"]["body"] == "page /page/a"
    assert base64.b64decode(lines["b"]["body_base64"]) == b"\x00\xff\xfe"
    # What broke off was fetched once more, and no half of it is left.
    assert (lines["c"]["body"], lines["c"]["attempts"]) == ("page /cut/c", 2)
    for line in lines.values():
        file = tmp_path / "pages" / line["file"]
        assert file.stat().st_size == line["bytes"]
    assert sorted(os.listdir(tmp_path / "pages")) == sorted(line["file"] for line in lines.values())
    assert lines["a"]["file"].endswith(".html")


def test_a_body_that_is_too_large_is_given_up(site: Site, tmp_path: Path) -> None:
    arguments = ("--max-body", "5", "--save-to", "pages")
    ending = hoop("fetch", f"{site.url}/page/a", *arguments, cwd=tmp_path)
    line = records(ending.output)["a"]
    assert (ending.status, line["error"]["type"], line["status"]) == (1, "BodyTooLarge", 200)
    assert os.listdir(tmp_path / "pages") == []


@pytest.mark.parametrize(
    "url",
    [
        "http://host/../../etc/passwd",
        "http://user:secret@host/a?b=c/d",
        "https://host/" + "x" * 5000 + ".tar.gz",
        "http://host/%2e%2e%2f\n\x00.html",
        "host",
        "http://...",
        "file:///etc/passwd",
    ],
)
def test_the_name_of_a_file_does_no_harm(url: str) -> None:
    name = file_name(url)
    assert name == os.path.basename(name) and len(name) < 150
    assert not name.startswith((".", "-"))
    assert name.isascii() and name.isprintable() and "secret" not in name
    assert name == file_name(url) != file_name(url + "2")


def test_urls_come_from_standard_input_and_repeat_nothing_that_is_done(
    site: Site, tmp_path: Path
) -> None:
    results = tmp_path / "results.jsonl"
    urls = [f"{site.url}/page/{n}" for n in range(50)]
    text = "# a comment\n\n" + "\n".join([*urls, f"{site.url}/missing/m"])
    first = fed(text, "-", "--resume", "results.jsonl", cwd=tmp_path)
    assert (first.status, first.output) == (1, "")
    assert len(results.read_text().splitlines()) == 51

    # The run was killed in the middle of a line, after one that had failed.
    lines = results.read_text().splitlines()
    failed = {**json.loads(lines[0]), "status": None, "error": {"type": "ConnectError"}}
    kept = [json.dumps(failed), "garbage", "[1]", *lines[1:40]]
    results.write_text("\n".join(kept) + "\n" + lines[41][:30])
    site.pages.asked.clear()
    again = fed(text, "-", "--resume", "results.jsonl", cwd=tmp_path)
    assert len(site.pages.asked) == len(set(site.pages.asked)) == 12
    assert f"{len(lines[1:40])} skipped" in again.errors
    now = [line for line in results.read_text().splitlines() if line.startswith("{")]
    assert {json.loads(line)["url"] for line in now} == {*urls, f"{site.url}/missing/m"}

    site.pages.asked.clear()
    assert fed(text, "-", "--resume", "results.jsonl", "-o", "-", cwd=tmp_path).output == ""
    assert site.pages.asked == []


def test_an_output_that_has_something_in_it_is_not_overwritten(site: Site, tmp_path: Path) -> None:
    (tmp_path / "results").write_text("precious")
    ending = hoop("fetch", f"{site.url}/page/a", "-o", "results", cwd=tmp_path)
    assert (ending.status, site.pages.asked) == (2, [])
    assert "--resume results" in ending.errors
    assert (tmp_path / "results").read_text() == "precious"


def test_no_more_are_at_work_than_were_allowed(site: Site, tmp_path: Path) -> None:
    text = "".join(f"{site.url}/page/{n}\n" for n in range(60))
    ending = fed(text, "-", "--concurrency-per-host", "2", cwd=tmp_path)
    assert len(ending.output.splitlines()) == 60
    assert site.pages.most_at_once <= 2


def test_what_is_no_text_is_a_failure_of_its_own(site: Site, tmp_path: Path) -> None:
    line = {"url": "http://\ud800/", "status": 200, "error": None}
    (tmp_path / "lines").write_text(json.dumps(line) + "\n")
    urls: list[bytes | str] = [f"{site.url}/page/".encode() + b"\xff", f"{site.url}/page/b"]
    done = subprocess.run(
        [*COMMAND, *urls, "--resume", "lines"], cwd=tmp_path, capture_output=True, timeout=50
    )
    assert (done.returncode, b"Traceback" in done.stderr) == (1, False), done.stderr
    written = [json.loads(one) for one in (tmp_path / "lines").read_bytes().splitlines()]
    assert [each["status"] for each in written[1:]] in ([None, 200], [200, None])
    assert {each["error"]["type"] for each in written if each["error"]} == {"InvalidURL"}


def test_the_timeout_is_for_all_attempts_at_a_body(site: Site, tmp_path: Path) -> None:
    urls = [f"{site.url}/{page}/a" for page in ("stalls", "breaks")]
    for url, most in zip(urls, (1, 7), strict=True):
        ending = hoop("fetch", url, "--timeout", "2", "--retries", "9", cwd=tmp_path)
        assert records(ending.output)["a"]["error"]["type"] == "TotalTimeout", ending.output
        assert 1 <= site.pages.asked.count(url.removeprefix(site.url)) <= most


def test_waiting_for_a_turn_is_no_part_of_the_timeout(site: Site, tmp_path: Path) -> None:
    text = "".join(f"{site.url}/page/{n}\n" for n in range(30))
    # The last waits for almost three seconds.
    ending = fed(text, "-", "--rate-per-host", "10", "--timeout", "2", cwd=tmp_path)
    assert ending.status == 0, ending.output


def test_ctrl_c_keeps_what_is_done(site: Site, tmp_path: Path) -> None:
    urls = [f"{site.url}/page/a", f"{site.url}/held/b", "-"]
    process = subprocess.Popen(
        (*COMMAND, *urls),
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, output) == (130, "")
    assert json.loads(first)["status"] == 200
    assert errors.startswith("Interrupted: 1 of 1 fetched in ")
    assert "Traceback" not in errors


def test_a_reader_that_has_gone_ends_it_quietly(site: Site, tmp_path: Path) -> None:
    process = subprocess.Popen(
        (*COMMAND, "-"),
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(f"{site.url}/page/a\n")
        process.stdin.flush()
        assert process.stdout.readline()
        process.stdout.close()
        process.stdin.write(f"{site.url}/page/b\n")
        process.stdin.close()
        assert process.wait(timeout=30) == 141
        assert process.stderr is not None
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


def test_progress_is_shown_on_a_terminal(site: Site, tmp_path: Path) -> None:
    shown, terminal = pty.openpty()
    with open(shown, "rb", buffering=0) as screen:
        done = subprocess.run(
            (*COMMAND, *(f"{site.url}/page/{n}" for n in range(5))),
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=terminal,
            timeout=50,
            check=False,
        )
        os.close(terminal)
        said = b""
        try:
            while piece := screen.read(65536):
                said += piece
        except OSError:  # The other end of a terminal is closed: Linux says EIO.
            pass
    assert done.returncode == 0
    assert b"1/5 done in " in said
    assert said.rstrip().rpartition(b"\x1b[K")[2].startswith(b"5 of 5 fetched in ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "the following arguments are required: URL"),
        (("http://a/", "-H", "no colon"), "'no colon' is no header"),
        (("http://a/", "--concurrency", "0"), "'0' is no whole number above 0"),
        (("http://a/", "--rate", "often"), "'often' is no number"),
        (("http://a/", "--data", "@nowhere"), "nowhere: cannot be read"),
        (("http://a/", "-H", "no name: x"), '"no name" is no header name'),
        (("http://a/", "--proxy", "gopher://proxy:70"), "gopher"),
    ],
)
def test_a_wrong_command_says_what_is_wrong(
    arguments: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    ending = hoop("fetch", *arguments, cwd=tmp_path)
    assert (ending.status, ending.output) == (2, "")
    assert said in ending.errors


def test_memory_is_bounded_however_many_urls_there_are(tmp_path: Path) -> None:
    program = (
        "import re, sys\n"
        "from hoopsnake._cli import main\n"
        "main(['fetch', '-', '-q', '--retries', '0', '--resume', sys.argv[1]])\n"
        "status = open('/proc/self/status').read()\n"
        "print(re.search(r'VmHWM:\\s*([0-9]+)', status)[1], file=sys.stderr)\n"
    )

    def peak(count: int) -> int:
        results = tmp_path / f"results-{count}"
        urls = [f"http://nowhere.invalid/{n:060}" for n in range(count)]
        done = {"status": 200, "error": None}
        results.write_text("".join(json.dumps({"url": url, **done}) + "\n" for url in urls))
        ended = subprocess.run(
            (sys.executable, "-c", program, str(results)),
            input="\n".join(urls),
            capture_output=True,
            text=True,
            timeout=55,
            check=True,
        )
        return int(ended.stderr)

    few = peak(100)
    assert peak(100_000) - few < 16 * 1024
