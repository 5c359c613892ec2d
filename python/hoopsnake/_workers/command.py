"""Runs a supervisor for a command: opens what is listened on, and picks who keeps the workers."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import cast

from hoopsnake._event_loop import EventLoop
from hoopsnake._journal import Journal, configure_logging
from hoopsnake._listening import addresses_of, open_sockets
from hoopsnake._readiness import watched
from hoopsnake._workers.config import WorkerConfig
from hoopsnake._workers.file_changes import FileChanges
from hoopsnake._workers.journal import SupervisorJournal
from hoopsnake._workers.reloader import Reloader
from hoopsnake._workers.staff import Staff
from hoopsnake._workers.supervisor import Supervisor
from hoopsnake._workers.worker import Assignment

__all__ = ["supervise"]

# Seconds that requests get when code has changed: their developer waits.
_DEVELOPERS_PATIENCE = 0.5


async def supervise(assignment: Assignment, config: WorkerConfig) -> int:
    """Serve with worker processes until a signal ends it; return the exit status.

    Raises ListenError if the address cannot be listened on.
    """
    served = assignment.config
    configure_logging(served.log_level, served.log_format)
    journal = SupervisorJournal()
    if config.reload:
        patience = min(assignment.config.graceful_timeout, _DEVELOPERS_PATIENCE)
        short = replace(assignment.config, graceful_timeout=patience)
        assignment = replace(assignment, config=short)
    with contextlib.closing(open_sockets(assignment.config)) as sockets:
        addresses = addresses_of(sockets, assignment.config)
        staff = Staff(assignment, sockets, config, journal)
        loop = cast(EventLoop, asyncio.get_running_loop())
        async with watched(loop, served.admin, Journal(), staff.metrics) as readiness:
            if not config.reload:
                return await Supervisor(staff, addresses, readiness).run()
            folders = config.reload_dir or (assignment.app_dir,)
            files = FileChanges(folders, config.reload_include, config.reload_exclude)
            return await Reloader(staff, addresses, files, readiness).run()
