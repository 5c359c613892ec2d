"""Reads the text of Linux's /proc files; where the text comes from is not its business."""

from typing import NamedTuple


class Stat(NamedTuple):
    """What the bench needs of /proc/PID/stat."""

    session: int
    ticks: int
    """User and system time, that of ended and awaited children included."""


def parse_stat(text: str) -> Stat:
    """Read one /proc/PID/stat; the kernel's manual counts its fields from 1."""
    # The program's name is in brackets and may hold spaces and brackets: count behind the last one,
    # where field 3 is the first.
    fields = text.rpartition(")")[2].split()
    session, times = fields[6 - 3], fields[14 - 3 : 18 - 3]
    return Stat(session=int(session), ticks=sum(map(int, times)))


def peak_resident_bytes(text: str) -> int:
    """The most memory that a process ever held, from /proc/PID/status; 0 for one that has ended."""
    return _bytes_of("VmHWM:", text)


def resident_bytes(text: str) -> int:
    """The memory that a process holds now, from /proc/PID/status; 0 for one that has ended."""
    return _bytes_of("VmRSS:", text)


def _bytes_of(name: str, text: str) -> int:
    for line in text.splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    return 0


def busy_ticks(text: str) -> int:
    """What all processors have worked since the machine started, from /proc/stat."""
    # The line says: user nice system idle iowait irq softirq steal, and guests, counted in user.
    user, nice, system, _idle, _iowait, irq, softirq = map(int, text.split(maxsplit=8)[1:8])
    return user + nice + system + irq + softirq
