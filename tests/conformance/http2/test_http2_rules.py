"""The rules of HTTP/2 and HPACK, one exchange over a bare socket for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import rules_of_frames
import rules_of_hpack
import rules_of_messages
import rules_of_streams
from peer import Peer
from rules import Rule
from serving import serving

RULES: list[Rule] = [
    *rules_of_frames.RULES,
    *rules_of_streams.RULES,
    *rules_of_messages.RULES,
    *rules_of_hpack.RULES,
]


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """One server for all rules: what one of them breaks the next one finds."""
    said = tmp_path_factory.mktemp("http2") / "said.txt"
    with serving("asked:app", Path(__file__).parent, said, "--graceful-timeout", "0") as port:
        yield port


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule(rule: Rule, port: int) -> None:
    peer = Peer.connect(port)
    try:
        rule.check(peer.begin() if rule.begins else peer)
    finally:
        peer.close()


def test_every_rule_has_a_name_of_its_own() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES) > 147
