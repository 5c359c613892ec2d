"""`hoop serve`: an ASGI application, found by its import string, on hoopsnake's server."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

import hoopsnake
from hoopsnake._cli.complaint import complain
from hoopsnake._cli.options import ApplicationSource
from hoopsnake._cli.printed_settings import printed_settings
from hoopsnake._cli.settings import SettingsError, chosen_settings
from hoopsnake._cli.tracebacks import leave_with_own_frames
from hoopsnake._import_string import ImportStringError, load_app
from hoopsnake._workers.config import WorkerConfig

__all__ = ["serve_command"]

# What a shell reports for a program that SIGINT ended.
_INTERRUPTED = 130


def serve_command(chosen: argparse.Namespace) -> int:
    """Serve until a signal asks to stop; `chosen` is what the command line said."""
    try:
        settings = chosen_settings(vars(chosen), os.environ)
        if chosen.print_config:
            settings.server_config()
            settings.worker_config()
            print(printed_settings(settings))
            return 0
        source = settings.application
        if source.app is None:
            return complain("name the application, such as shop.web:app", exit_status=2)
        if not os.path.isdir(source.app_dir):
            return complain(f"--app-dir: {source.app_dir!r} is no directory", exit_status=2)
        config, workers = settings.server_config(), settings.worker_config()
        if workers.supervised:
            return _supervised(source, config, workers)
        hoopsnake.run(hoopsnake.serve(_application(source), config))
    except (SettingsError, ImportStringError) as error:
        return complain(str(error), exit_status=2)
    except hoopsnake.ServerError as error:
        return complain(str(error), exit_status=1)
    except KeyboardInterrupt:
        # Ctrl-C while the application was still being imported: asked for, so nothing to explain.
        return _INTERRUPTED
    return 0


def _supervised(
    source: ApplicationSource, config: hoopsnake.ServerConfig, workers: WorkerConfig
) -> int:
    from hoopsnake._workers.command import supervise
    from hoopsnake._workers.worker import Assignment

    assignment = Assignment(source.app or "", source.factory, source.app_dir, config)
    return hoopsnake.run(supervise(assignment, workers))


def _application(source: ApplicationSource) -> Any:
    sys.path.insert(0, os.path.abspath(source.app_dir))
    try:
        return load_app(source.app or "", factory=source.factory)
    except (ImportStringError, KeyboardInterrupt):
        raise
    except BaseException as error:
        leave_with_own_frames(error)
