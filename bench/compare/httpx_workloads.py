"""The workload of httpx2's client: over its own connections, and over hoopsnake's."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.compare.client_workloads import HELLO_BYTES, PATIENCE_SECONDS
from bench.compare.contenders import OURS
from bench.compare.endpoints import endpoint
from bench.compare.figures import Figures
from bench.compare.measurement import ROOT, Setting
from bench.compare.process import Process, free_port

# The program that puts the load on, and the loop under it.
PROGRAMS: Mapping[str, tuple[str, str]] = {
    OURS: ("bench.compare.httpx_load", "hoopsnake"),
    "httpx2 on asyncio": ("bench.compare.client_load", "asyncio"),
    "httpx2 on uvloop": ("bench.compare.client_load", "uvloop"),
}
HTTPX_RIVALS = tuple(name for name in PROGRAMS if name != OURS)


@dataclass(frozen=True)
class HttpxWorkload:
    """What a request costs a program that is written with httpx2."""

    key: str
    title: str
    at_once: int = 64
    contenders: Sequence[str] = tuple(PROGRAMS)
    most_rounds: int | None = None

    @property
    def loop_rows(self) -> Mapping[str, Sequence[str]]:
        """None: what is compared is more than a loop."""
        return {}

    def measure(self, contender: str, setting: Setting) -> Figures:
        """Have a program ask the server without Python, and take over what it prints."""
        program, loop = PROGRAMS[contender]
        with endpoint("tcp", free_port()) as where:
            asking = [str(setting.programs.python), "-m", program, "--client", "httpx2"]
            asking += ["--loop", loop, "--at-once", str(self.at_once)]
            asking += ["--url", f"http://localhost:{where.port}/", "--expected", str(HELLO_BYTES)]
            asking += ["--seconds", str(setting.seconds)]
            command = [str(setting.programs.plain_hyper), *where.arguments()]
            with Process(
                command, directory=ROOT, cores=setting.cores.load, environment={}
            ) as server:
                server.wait_until_listening(where)
                with setting.start(asking) as process:
                    return dict(json.loads(process.output_at_end(PATIENCE_SECONDS)))


HTTPX_WORKLOADS = (HttpxWorkload("client-httpx2", "Client: GET hello by httpx2, 64 in flight"),)
