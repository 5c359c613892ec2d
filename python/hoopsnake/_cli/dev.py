"""`hoop dev`: an application while it is written: served anew on changes, its errors shown."""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Mapping
from typing import Any

import hoopsnake
from hoopsnake._cli.complaint import complain
from hoopsnake._cli.printed_settings import printed_settings
from hoopsnake._cli.serve import INTERRUPTED, checked_application, supervised
from hoopsnake._cli.settings import Settings, SettingsError, chosen_settings
from hoopsnake._import_string import ImportStringError
from hoopsnake._workers.config import WorkerConfig

__all__ = ["dev_command"]


def dev_command(chosen: Mapping[str, Any]) -> int:
    """Serve until a signal asks to stop; `chosen` is what the command line said."""
    try:
        # As if `hoop serve --reload` had been asked for; a `--no-reload` that was counts.
        settings = chosen_settings({"reload": True, **chosen}, os.environ)
        if chosen["print_config"]:
            settings.server_config()
            settings.worker_config()
            print(printed_settings(settings))
            return 0
        source = checked_application(settings)
        config, workers = settings.server_config(), settings.worker_config()
        if not workers.supervised:
            # The page is a matter of workers: one, which nothing but its end replaces.
            workers = WorkerConfig(workers=1)
        _warn(settings)
        return supervised(source, config, workers, development=True)
    except (SettingsError, ImportStringError) as error:
        return complain(str(error), exit_status=2)
    except hoopsnake.ServerError as error:
        return complain(str(error), exit_status=1)
    except KeyboardInterrupt:
        return INTERRUPTED


def _warn(settings: Settings) -> None:
    """Say so where others than the developer can reach the page."""
    host, binds = settings.all["host"].value, settings.all["bind"].value
    hosts = [each.rpartition(":")[0] for each in binds if not each.startswith(("unix:", "fd:"))]
    if settings.all["uds"].value is None:
        hosts += [] if binds else [host]
    if not all(map(_is_of_this_machine, hosts)):
        print(
            "hoop: warning: whoever reaches this server sees your source where it fails; "
            "`hoop serve` shows nobody",
            file=sys.stderr,
        )


def _is_of_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
