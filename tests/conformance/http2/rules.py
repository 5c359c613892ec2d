"""What all files of cases are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from peer import Peer, request


@dataclass(frozen=True)
class Rule:
    """One rule of a specification, and an exchange that shows whether it is kept."""

    section: str
    name: str
    check: Callable[[Peer], None]
    # Where the exchange begins before the preface, or with settings of its own.
    begins: bool = True

    @property
    def id(self) -> str:
        return f"{self.section} {self.name}"


class Rules(list[Rule]):
    """The rules of one specification; functions are added by decoration."""

    def __init__(self, specification: str) -> None:
        self.specification = specification

    def rule(self, section: str, name: str, *, begins: bool = True) -> Callable[..., None]:
        def add(check: Callable[[Peer], None]) -> None:
            self.append(Rule(f"{self.specification} {section}", name, check, begins))

        return add

    def connection_error(self, section: str, name: str, attack: bytes, *codes: int) -> None:
        """These bytes are an error of the connection."""

        def check(peer: Peer) -> None:
            peer.send(attack)
            peer.connection_error(*codes)

        self.rule(section, name)(check)

    def stream_error(
        self, section: str, name: str, attack: bytes, *codes: int, stream: int = 1
    ) -> None:
        """These bytes are an error of a stream."""

        def check(peer: Peer) -> None:
            peer.send(attack)
            peer.stream_error(stream, *codes)

        self.rule(section, name)(check)

    def escalated(self, section: str, name: str, attack: bytes, *codes: int) -> None:
        """These bytes are an error of a stream, and our server makes it one of the connection, as
        RFC 9113 allows to (section 5.4.1).
        """
        self.connection_error(section, name, attack, *codes)

    def malformed(self, section: str, name: str, attack: bytes, stream: int = 1) -> None:
        """These bytes are a malformed request."""

        def check(peer: Peer) -> None:
            peer.send(attack)
            peer.malformed(stream)

        self.rule(section, name)(check)

    def answered(
        self, section: str, name: str, asked: bytes, body: bytes | None = None, stream: int = 1
    ) -> None:
        """These bytes are a request that is answered."""

        def check(peer: Peer) -> None:
            peer.send(asked)
            peer.answered(stream, body=body)
            peer.lives()

        self.rule(section, name)(check)

    def ignored(self, section: str, name: str, sent: bytes) -> None:
        """These bytes are without consequence."""

        def check(peer: Peer) -> None:
            peer.send(sent)
            peer.lives()
            peer.send(request(1))
            peer.answered(1)

        self.rule(section, name)(check)
