"""Puts the server to every case of the Autobahn test suite: `make autobahn`, into `results.txt`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from judge import REQUIREMENTS, install, judge, table, why_missing  # noqa: E402
from serving import serving  # noqa: E402

# Half an hour at the most; it takes a third of that.
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
            verdicts = judge(port, Path(folder), ["*"], LIMIT_SECONDS)
    suite = REQUIREMENTS.read_text().splitlines()[-1]
    text = f"What {suite} says of hoop serve, permessage-deflate on. `make autobahn` writes it.\n\n"
    (HERE / "results.txt").write_text(text + table(verdicts) + "\n")
    print(table(verdicts))
    bad = [verdict for verdict in verdicts if not verdict.is_good]
    for verdict in bad:
        print(f"case {verdict.case}: {verdict.behavior}, close {verdict.close}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
