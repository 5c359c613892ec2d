"""Puts server and client to all cases of the Autobahn test suite: `make autobahn`."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from client_echoing import take_all_cases  # noqa: E402
from judge import (  # noqa: E402
    AGENT,
    REQUIREMENTS,
    install,
    judge,
    judging,
    table,
    verdicts_of_client,
    why_missing,
)
from serving import serving  # noqa: E402

import hoopsnake  # noqa: E402

# Half an hour at the most for each; it takes a third of that.
LIMIT_SECONDS = 1800


def main() -> int:
    install()
    if reason := why_missing():
        print(f"skipped: {reason}")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "said.txt"
        # The largest message of section 9 has 16 MiB.
        with serving("echoing:app", HERE, said) as port:
            of_server = judge(port, Path(folder), ["*"], LIMIT_SECONDS)
    with tempfile.TemporaryDirectory() as folder:
        with judging(Path(folder), ["*"]) as url:
            hoopsnake.run(asyncio.wait_for(take_all_cases(url, AGENT), LIMIT_SECONDS))
        of_client = verdicts_of_client(Path(folder))
    suite = REQUIREMENTS.read_text().splitlines()[-1]
    text = f"What {suite} says, permessage-deflate on. `make autobahn` writes it.\n"
    for what, verdicts in (("hoop serve", of_server), ("hoopsnake.Client", of_client)):
        text += f"\nOf {what}:\n\n{table(verdicts)}\n"
    (HERE / "results.txt").write_text(text)
    print(text)
    bad = [verdict for verdict in of_server + of_client if not verdict.is_good]
    for verdict in bad:
        print(f"case {verdict.case}: {verdict.behavior}, close {verdict.close}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
