"""What workloads have in common that measure a list of servers."""

from collections.abc import Mapping, Sequence
from typing import Any


class OfServers:
    """A workload that names its servers, each with the command that starts it."""

    servers: Any

    @property
    def contenders(self) -> Sequence[str]:
        """Who is measured."""
        return list(dict(self.servers))

    @property
    def loop_rows(self) -> Mapping[str, Sequence[str]]:
        """None: servers differ in more than their loop."""
        return {}
