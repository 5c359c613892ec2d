"""What all acts of the soak share."""

from __future__ import annotations

import itertools

from peers import Peers


class Stage:
    """The seed, the peers, and the numbers of connections, each of which is given out once."""

    def __init__(self, seed: int, peers: Peers) -> None:
        self.seed, self.peers = seed, peers
        self.numbers = itertools.count(1)
