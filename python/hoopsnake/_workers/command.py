"""Runs a supervisor for a command: opens what is listened on, and picks who keeps the workers."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from hoopsnake._journal import Journal, configure_logging
from hoopsnake._listening import addresses_of, open_sockets
from hoopsnake._server_config import ServerConfig
from hoopsnake._stop import Stop
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
    configure_logging(assignment.config.log_level, assignment.config.log_format)
    journal = SupervisorJournal()
    if config.reload:
        patience = min(assignment.config.graceful_timeout, _DEVELOPERS_PATIENCE)
        short = replace(assignment.config, graceful_timeout=patience)
        assignment = replace(assignment, config=short)
    with contextlib.closing(open_sockets(assignment.config)) as sockets:
        addresses = addresses_of(sockets, assignment.config)
        staff = Staff(assignment, sockets, config, journal)
        stop = Stop()
        async with _watched(staff, stop, assignment.config):
            if config.reload:
                folders = config.reload_dir or (assignment.app_dir,)
                files = FileChanges(folders, config.reload_include, config.reload_exclude)
                return await Reloader(staff, addresses, files, stop).run()
            delay = assignment.config.shutdown_delay
            return await Supervisor(staff, addresses, stop, delay).run()


def _watched(
    staff: Staff, stop: Stop, config: ServerConfig
) -> contextlib.AbstractAsyncContextManager[None]:
    """Open the admin port, if one is wanted; it speaks for all workers."""
    if config.admin is None:
        return contextlib.nullcontext()
    # Only here: who wants none need not load it.
    from hoopsnake._admin_port import admin_port

    def unready() -> str | None:
        return "stopping" if stop.asked.is_set() else None if staff.serves else "starting"

    return admin_port(config.admin, Journal(), staff.snapshots, unready, config.uds_permissions)
