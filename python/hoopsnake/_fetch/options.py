"""What `hoop fetch` is told: one object that the command line fills."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from hoopsnake._cli.argument_reader import argument_reader
from hoopsnake._cli.option_kinds import AMOUNT, COUNT, PATH, SECONDS, SIZE, Kind

__all__ = ["FetchOptions", "add_fetch_arguments"]

DESCRIPTION = """\
Fetches many URLs at once and writes a line of JSON for each, as it is done: the status, the time,
the size, or what went wrong and in which phase. What fails in passing is tried again."""

EXAMPLES = """\
examples:
  hoop fetch https://example.com/
  hoop fetch - < urls.txt > results.jsonl
  hoop fetch - --resume results.jsonl < urls.txt    skips what is there, adds the rest
  hoop fetch - --save-to pages --rate-per-host 2 < urls.txt
  hoop fetch - --concurrency 200 --sha256 < urls.txt | jq -r 'select(.error) | .url'
  hoop fetch -X HEAD -H 'Authorization: Bearer …' example.com/a example.com/b

A line has: url, final_url, status, elapsed (seconds), bytes, attempts, error; and sha256, body,
body_base64 or file where they are asked for. Its error is null, or has type, message and phase.

exit status: 0 if all went well; 1 if a URL got no answer, or one of 400 or above; 2 if the command
is wrong; 130 after Ctrl-C; 141 if nobody reads the output any more. What was written stays."""


@dataclasses.dataclass(slots=True)
class FetchOptions:
    """What `hoop fetch` is told."""

    urls: list[str]
    method: str = "GET"
    header: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    data: bytes | None = None
    redirects: bool = True
    insecure: bool = False
    http2: bool = True
    # None: what the environment says; empty: none.
    proxy: str | None = None
    concurrency: int = 20
    concurrency_per_host: int = 6
    rate: float = 0.0
    rate_per_host: float = 0.0
    retries: int = 2
    timeout: float = 60.0
    connect_timeout: float = 10.0
    inline: bool = False
    save_to: str | None = None
    sha256: bool = False
    max_body: int = 64 * 1024 * 1024
    output: str | None = None
    resume: str | None = None
    progress: bool | None = None
    quiet: bool = False


def read_header(text: str) -> tuple[str, str]:
    """Read a header as it is written on a command line."""
    name, colon, value = text.partition(":")
    if not (name.strip() and colon):
        raise ValueError(f"{text!r} is no header, such as 'Accept: text/html'")
    return name.strip(), value.strip()


def read_data(text: str) -> bytes:
    """Read a body: the text itself, or the file after an @."""
    if not text.startswith("@"):
        return text.encode()
    try:
        with open(text[1:], "rb") as file:
            return file.read()
    except OSError as error:
        raise ValueError(f"{text[1:]}: cannot be read: {error.strerror}") from None


def read_rate(text: str) -> float:
    """Read how often in a second."""
    rate: float = SECONDS.read(text)
    return rate


def add_fetch_arguments(parser: argparse.ArgumentParser) -> None:
    """Let a parser take what `FetchOptions` has."""
    parser.add_argument(
        "urls",
        nargs="+",
        metavar="URL",
        help="what to fetch; `-` stands for those on standard input, one a line. What has no "
        "scheme is https",
    )
    header = Kind("'NAME: VALUE'", read_header)
    sent = parser.add_argument_group("what is sent")
    add(sent, "-X", "--method", kind=Kind("NAME", str.upper), help="the method (default: GET)")
    add(sent, "-H", "--header", kind=header, action="append", help="a header; may be repeated")
    add(sent, "--data", kind=Kind("TEXT", read_data), help="the body; @FILE for that of a file")
    flag(sent, "--no-redirects", "redirects", False, "do not follow redirects")
    flag(sent, "--insecure", "insecure", True, "trust any certificate")
    flag(sent, "--no-http2", "http2", False, "speak HTTP/1.1 alone")
    through = Kind("URL", str)
    add(sent, "--proxy", kind=through, help="send all through a proxy: http://, https:// or "
        "socks5:// (default: as HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY say)")  # fmt: skip
    flag(sent, "--no-proxy", "proxy", "", "use no proxy, whatever they say")
    much = parser.add_argument_group("how much at once, how often, how long")
    counts = Kind("N", COUNT.read)
    rates = Kind("N", read_rate)
    add(much, "--concurrency", kind=counts, help="URLs at once (default: 20)")
    add(much, "--concurrency-per-host", kind=counts, help="of one host (default: 6)")
    add(much, "--rate", kind=rates, help="URLs that are begun in a second (default: any number)")
    add(much, "--rate-per-host", kind=rates, help="requests in a second to one host, retries and "
        "redirects included (default: any number)")  # fmt: skip
    add(much, "--retries", kind=Kind("N", AMOUNT.read), help="further attempts where the network "
        "or the server fails in passing, after a pause (default: 2)")  # fmt: skip
    add(much, "--timeout", kind=SECONDS, help="for a request with all its attempts and pauses, "
        "waiting for its turn left out; 0: any time (default: 60)")  # fmt: skip
    add(much, "--connect-timeout", kind=SECONDS, help="for a connection (default: 10)")
    written = parser.add_argument_group("what is written")
    add(written, "-o", "--output", kind=PATH, help="write the lines there, not to standard output")
    add(written, "--resume", kind=PATH, help="the output of a run before: what has an answer there "
        "is skipped, the rest added to it, or written to --output")  # fmt: skip
    flag(written, "--inline", "inline", True, "put bodies into the lines: text, or base64")
    add(written, "--save-to", kind=PATH, help="put bodies into files in this folder")
    flag(written, "--sha256", "sha256", True, "put the bodies' SHA-256 into the lines")
    add(written, "--max-body", kind=SIZE, help="the largest body that is taken (default: 64M)")
    flag(written, "--progress", "progress", True, "show progress where standard error is no "
         "terminal too")  # fmt: skip
    flag(written, "--no-progress", "progress", False, "show none")
    flag(written, "-q --quiet", "quiet", True, "no progress, and no summary at the end")


def add(group: argparse._ArgumentGroup, *names: str, kind: Kind, **more: Any) -> None:
    """Add an option with a value, whose default `FetchOptions` has."""
    group.add_argument(
        *names, metavar=kind.metavar, type=argument_reader(kind), default=argparse.SUPPRESS, **more
    )


def flag(
    group: argparse._ArgumentGroup, names: str, field: str, value: bool | str, help: str
) -> None:
    """Add an option without a value."""
    group.add_argument(
        *names.split(),
        dest=field,
        action="store_const",
        const=value,
        default=argparse.SUPPRESS,
        help=help,
    )
