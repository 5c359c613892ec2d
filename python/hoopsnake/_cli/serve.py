"""`hoop serve`: an ASGI or WSGI application, found by its import string, on hoopsnake's server."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

# With the server, which `hoopsnake.serve` would load later.
import hoopsnake._server
from hoopsnake._cli.complaint import complain
from hoopsnake._cli.options import ApplicationSource
from hoopsnake._cli.settings import Settings, SettingsError, chosen_settings
from hoopsnake._cli.tracebacks import leave_with_own_frames
from hoopsnake._collector import relieve
from hoopsnake._import_string import ImportStringError, load_app
from hoopsnake._workers.config import WorkerConfig

__all__ = ["INTERRUPTED", "checked_application", "serve_command", "supervised"]

INTERRUPTED = 130
"""What a shell reports for a program that SIGINT ended."""


def serve_command(chosen: Mapping[str, Any]) -> int:
    """Serve until a signal asks to stop; `chosen` is what the command line said."""
    try:
        settings = chosen_settings(chosen, os.environ)
        if chosen["print_config"]:
            from hoopsnake._cli.printed_settings import printed_settings

            settings.server_config()
            settings.worker_config()
            print(printed_settings(settings))
            return 0
        source = checked_application(settings)
        config, workers = settings.server_config(), settings.worker_config()
        if workers.supervised:
            return supervised(source, config, workers)
        hoopsnake.run(hoopsnake.serve(_application(source), config))
    except (SettingsError, ImportStringError) as error:
        return complain(str(error), exit_status=2)
    except hoopsnake.ServerError as error:
        return complain(str(error), exit_status=1)
    except KeyboardInterrupt:
        # Ctrl-C while the application was still being imported: asked for, so nothing to explain.
        return INTERRUPTED
    return 0


def checked_application(settings: Settings) -> ApplicationSource:
    """Return where the application is; raises SettingsError if that is not said, or not there."""
    source = settings.application
    if source.app is None:
        raise SettingsError("name the application, such as shop.web:app")
    if not os.path.isdir(source.app_dir):
        raise SettingsError(f"--app-dir: {source.app_dir!r} is no directory")
    return source


def supervised(
    source: ApplicationSource,
    config: hoopsnake.ServerConfig,
    workers: WorkerConfig,
    *,
    development: bool = False,
) -> int:
    """Serve with worker processes; with `development` what fails in them is shown to clients."""
    from hoopsnake._workers.command import supervise
    from hoopsnake._workers.worker import Assignment

    assignment = Assignment(
        source.app or "",
        source.factory,
        source.app_dir,
        config,
        gc_threshold=source.gc_threshold,
        development=development,
    )
    return hoopsnake.run(supervise(assignment, workers))


def _application(source: ApplicationSource) -> Any:
    sys.path.insert(0, os.path.abspath(source.app_dir))
    try:
        application = load_app(source.app or "", factory=source.factory)
    except (ImportStringError, KeyboardInterrupt):
        raise
    except BaseException as error:
        leave_with_own_frames(error)
    relieve(source.gc_threshold)
    return application
