"""What the figures were measured on: processor, kernel, load, and the cores to use."""

import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.compare import proc_files


@dataclass(frozen=True)
class Cores:
    """Where the server and its load run; None leaves the choice to the kernel."""

    server: list[int] | None
    load: list[int] | None


def choose_cores(pin: bool) -> Cores:
    """The last usable core for the server and the first for the load, where there are two."""
    usable = sorted(os.sched_getaffinity(0))
    if not pin or len(usable) < 2:
        return Cores(server=None, load=None)
    return Cores(server=[usable[-1]], load=[usable[0]])


def facts() -> dict[str, str | int]:
    """Everything about the machine that a reader needs and that does not name it."""
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024**2,
        "kernel": f"{platform.system()} {kernel_version()} {platform.machine()}",
        "libc": " ".join(platform.libc_ver()),
    }


def kernel_version() -> str:
    """The version alone, without what whoever built the kernel has added behind it."""
    return platform.release().partition("-")[0]


def processor() -> str:
    """The processor's own name for itself."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def moment() -> dict[str, str | float]:
    """When it is, and how busy the machine has been for the last minute."""
    return {
        "began": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_average_before": round(os.getloadavg()[0], 2),
    }


def busy_seconds() -> float:
    """CPU seconds that all processes of the machine have used since it started."""
    ticks = proc_files.busy_ticks(Path("/proc/stat").read_text())
    return ticks / os.sysconf("SC_CLK_TCK")
