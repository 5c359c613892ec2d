"""`hoop serve`: an ASGI application, found by its import string, on hoopsnake's server."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

import hoopsnake
from hoopsnake._cli.arguments import DEFAULT_HOST, DEFAULT_PORT
from hoopsnake._cli.complaint import complain
from hoopsnake._cli.limit_arguments import chosen_limits
from hoopsnake._cli.tracebacks import leave_with_own_frames
from hoopsnake._import_string import ImportStringError, load_app

__all__ = ["serve_command"]

# What a shell reports for a program that SIGINT ended.
_INTERRUPTED = 130


def serve_command(chosen: argparse.Namespace) -> int:
    """Serve until a signal asks to stop; `chosen` is what the command line said."""
    problem = _contradiction(chosen)
    if problem:
        return complain(problem, exit_status=2)
    try:
        application = _application(chosen)
        hoopsnake.run(hoopsnake.serve(application, _server_config(chosen)))
    except ImportStringError as error:
        return complain(str(error), exit_status=2)
    except hoopsnake.ServerError as error:
        return complain(str(error), exit_status=1)
    except KeyboardInterrupt:
        # Ctrl-C while the application was still being imported: asked for, so nothing to explain.
        return _INTERRUPTED
    return 0


def _application(chosen: argparse.Namespace) -> Any:
    sys.path.insert(0, os.path.abspath(chosen.app_dir))
    try:
        return load_app(chosen.application, factory=chosen.factory)
    except (ImportStringError, KeyboardInterrupt):
        raise
    except BaseException as error:
        leave_with_own_frames(error)


def _server_config(chosen: argparse.Namespace) -> hoopsnake.ServerConfig:
    return hoopsnake.ServerConfig(
        host=DEFAULT_HOST if chosen.host is None else chosen.host,
        port=DEFAULT_PORT if chosen.port is None else chosen.port,
        uds=chosen.uds,
        log_level=chosen.log_level,
        access_log=chosen.access_log,
        graceful_timeout=chosen.graceful_timeout,
        root_path=chosen.root_path,
        lifespan=chosen.lifespan,
        limits=chosen_limits(chosen),
        ssl_certfile=chosen.ssl_certfile,
        ssl_keyfile=chosen.ssl_keyfile,
        ssl_ca_certs=chosen.ssl_ca_certs,
        ssl_cert_reqs=chosen.ssl_cert_reqs,
        http2=chosen.http2,
        h2_max_concurrent_streams=chosen.h2_max_concurrent_streams,
        h2_ping_interval=chosen.h2_ping_interval or None,
        h2_ping_timeout=chosen.h2_ping_timeout,
        handshake_timeout=chosen.handshake_timeout,
        ws_max_size=chosen.ws_max_size,
        ws_per_message_deflate=chosen.ws_per_message_deflate,
        ws_ping_interval=chosen.ws_ping_interval or None,
        ws_ping_timeout=chosen.ws_ping_timeout or None,
    )


def _contradiction(chosen: argparse.Namespace) -> str | None:
    """Say what in the command cannot be meant, if anything."""
    if chosen.uds is not None and not (chosen.host is None and chosen.port is None):
        return "--uds listens on a socket file: leave out --host and --port"
    if not os.path.isdir(chosen.app_dir):
        return f"--app-dir: {chosen.app_dir!r} is no directory"
    return None
