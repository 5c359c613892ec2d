"""`hoop fetch`: runs the fetching, and sees to how it ends."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import Iterator
from typing import BinaryIO

import hoopsnake
from hoopsnake import InvalidURL, LocalProtocolError
from hoopsnake._cli.complaint import complain
from hoopsnake._fetch.addresses import addresses
from hoopsnake._fetch.done import Done
from hoopsnake._fetch.fetcher import Fetcher
from hoopsnake._fetch.options import FetchOptions
from hoopsnake._fetch.tally import Tally
from hoopsnake.limits import RateLimit

__all__ = ["fetch_command"]

# What a shell reports for a program that SIGINT or SIGPIPE has ended.
INTERRUPTED, UNREAD = 130, 141


class Misuse(Exception):
    """The command is wrong; the text is for the user."""


def fetch_command(parsed: argparse.Namespace) -> int:
    """Fetch what the command line says, and return the status to exit with."""
    names = {field.name for field in dataclasses.fields(FetchOptions)}
    given = {name: value for name, value in vars(parsed).items() if name in names}
    options = FetchOptions(**given)
    is_known = "-" not in options.urls
    tally = Tally(
        total=len(options.urls) if is_known else None,
        shows=options.progress,
        is_quiet=options.quiet,
    )
    try:
        with opened(options) as (output, done):
            try:
                hoopsnake.run(fetch_all(options, output, done, tally))
            except KeyboardInterrupt:
                tally.end("Interrupted: ")
                return INTERRUPTED
    except Misuse as wrong:
        return complain(str(wrong), exit_status=2)
    except BrokenPipeError:
        # What is left in the buffer has nowhere to go: the interpreter must not try at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    except OSError as error:
        tally.end("Broken off: ")
        place = f"{error.filename}: " if error.filename else ""
        return complain(f"{place}{error.strerror or error}", exit_status=1)
    tally.end()
    return 1 if tally.failed else 0


async def fetch_all(options: FetchOptions, output: BinaryIO, done: Done, tally: Tally) -> None:
    """Fetch URL by URL, so many at once, and write each line as it is there."""
    rate = RateLimit(options.rate) if options.rate else None

    def skips(url: str) -> bool:
        is_done = url in done
        tally.skipped += is_done
        return is_done

    try:
        fetcher = Fetcher(options)
    except (ValueError, InvalidURL, LocalProtocolError) as wrong:
        raise Misuse(str(wrong)) from None
    async with fetcher:

        async def fetch(url: str) -> dict[str, object]:
            if rate is not None:
                await rate.acquire()
            return await fetcher.fetch(url)

        records = hoopsnake.map_concurrent(
            fetch, addresses(options.urls, skips), limit=options.concurrency
        )
        async with records:
            async for record in records:
                line = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
                output.write(line.encode("utf-8", "replace") + b"\n")
                # A line that is written is done: neither Ctrl-C nor a crash undoes it.
                output.flush()
                tally.count(record)


@contextlib.contextmanager
def opened(options: FetchOptions) -> Iterator[tuple[BinaryIO, Done]]:
    """Open what is written to, and read what was done before; raises Misuse."""
    done = Done()
    output, resume = options.output or options.resume, options.resume
    is_there = resume is not None and os.path.exists(resume)
    try:
        end = 0
        if resume is not None and is_there:
            with open(resume, "rb") as file:
                end = done.read(file)
        if options.save_to is not None:
            os.makedirs(options.save_to, exist_ok=True)
        if output is None or output == "-":
            yield sys.stdout.buffer, done
        elif resume is not None and is_there and same_file(output, resume):
            with open(output, "r+b") as file:
                # A line that was half written is written again.
                file.seek(end)
                file.truncate()
                yield file, done
        elif os.path.exists(output) and os.path.isfile(output) and os.path.getsize(output):
            raise Misuse(f"{output}: there is something in it; --resume {output} goes on with it")
        else:
            with open(output, "wb") as file:
                yield file, done
    finally:
        done.close()


def same_file(one: str, other: str) -> bool:
    """Tell whether two paths are of one file, which may not be there."""
    return os.path.realpath(one) == os.path.realpath(other)
