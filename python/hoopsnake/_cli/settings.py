"""What `hoop serve` goes by: command line, then environment, then file, then default."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from hoopsnake._cli.option_kinds import Kind
from hoopsnake._cli.options import GROUPS, ApplicationSource, Option, all_options
from hoopsnake._server_config import ServerConfig
from hoopsnake._server_limits import ServerLimits
from hoopsnake._workers.config import WorkerConfig

__all__ = ["CONFIG_VARIABLE", "Settings", "SettingsError", "chosen_settings"]

CONFIG_VARIABLE = "HOOP_CONFIG"
_TABLE = "serve"

_PORT_AND_HOST = ("host", "port")

Source = Literal["command line", "environment", "file", "default"]


class SettingsError(Exception):
    """A setting that cannot be meant; the message names it and where it stands."""


class Setting(NamedTuple):
    """A value, and who said so."""

    value: Any
    source: Source


class Settings(NamedTuple):
    """Each option's value."""

    all: Mapping[str, Setting]

    @property
    def unused(self) -> tuple[str, ...]:
        """Settings that mean nothing beside others."""
        elsewhere = self.all["uds"].value is not None or self.all["bind"].value
        return _PORT_AND_HOST if elsewhere else ()

    def of(self, owner: type[Any]) -> dict[str, Any]:
        """Return what a dataclass with settings is to be made of."""
        return {
            option.name: self.all[option.name].value
            for group in GROUPS
            if group.owner is owner
            for option in group.options
        }

    @property
    def application(self) -> ApplicationSource:
        """Where the application is found."""
        return ApplicationSource(**self.of(ApplicationSource))

    def server_config(self) -> ServerConfig:
        """Make what the server takes; raises ServerError for a value that cannot be meant."""
        return ServerConfig(**self.of(ServerConfig), limits=ServerLimits(**self.of(ServerLimits)))

    def worker_config(self) -> WorkerConfig:
        """Make what a supervisor takes; raises ServerError for a value that cannot be meant."""
        return WorkerConfig(**self.of(WorkerConfig))


def chosen_settings(command_line: Mapping[str, Any], environment: Mapping[str, str]) -> Settings:
    """Put together what was chosen, and the defaults.

    `command_line` has the options that were given, read already, and perhaps `config`, the path
    of a TOML file; without it the environment's HOOP_CONFIG may name one. Raises SettingsError.
    """
    path = command_line.get("config") or environment.get(CONFIG_VARIABLE)
    chosen: dict[str, Setting] = {
        option.name: Setting(group.default(option), "default")
        for group, option in all_options().values()
    }
    layers: tuple[tuple[Source, Mapping[str, Any]], ...] = (
        ("file", _of_file(path) if path else {}),
        ("environment", _of_environment(environment)),
        ("command line", _of_command_line(command_line)),
    )
    for source, layer in layers:
        _check_place(source, layer)
        for name in _overruled_place(layer):
            chosen[name] = Setting(_default(name), "default")
        chosen |= {name: Setting(value, source) for name, value in layer.items()}
    return Settings(chosen)


def _of_command_line(given: Mapping[str, Any]) -> dict[str, Any]:
    # argparse gathers the values of an option that is repeated in a list.
    return {
        name: tuple(given[name]) if isinstance(given[name], list) else given[name]
        for name in all_options()
        if name in given
    }


def _default(name: str) -> Any:
    group, option = all_options()[name]
    return group.default(option)


def _check_place(source: Source, layer: Mapping[str, Any]) -> None:
    if layer.get("bind") and any(name in layer for name in ("host", "port", "uds")):
        raise SettingsError(f"bind says where to listen: leave out host, port and uds ({source})")
    if "uds" in layer and ("host" in layer or "port" in layer):
        raise SettingsError(f"uds listens on a socket file: leave out host and port ({source})")


def _overruled_place(layer: Mapping[str, Any]) -> tuple[str, ...]:
    """Name what a layer takes the place of: whoever says where to listen says all of it."""
    if layer.get("bind"):
        return (*_PORT_AND_HOST, "uds")
    if "uds" in layer:
        return (*_PORT_AND_HOST, "bind")
    if "host" in layer or "port" in layer:
        return ("uds", "bind")
    return ()


def _of_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    return {
        name: _read(option, environment[option.variable], option.variable, option.kind.read)
        for name, (_, option) in all_options().items()
        if option.variable in environment
    }


def _of_file(path: str) -> dict[str, Any]:
    # Only here: a server without such a file need not load it.
    import tomllib

    try:
        with open(path, "rb") as file:
            content = tomllib.load(file)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: is not TOML: {error}") from None
    table = content.get(_TABLE, {})
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: {_TABLE} is not a table: write [{_TABLE}]")
    for name in content.keys() - {_TABLE}:
        raise SettingsError(f"{path}: {name}: settings stand in the table [{_TABLE}]")
    folder = os.path.dirname(os.path.abspath(path))
    known = all_options()
    chosen = {}
    for name, value in table.items():
        if name not in known:
            raise SettingsError(f"{path}: {_TABLE}.{name}: {_unknown(name)}")
        _, option = known[name]
        where = f"{path}: {_TABLE}.{name}"
        chosen[name] = _read(option, value, where, lambda text: _of_toml(option.kind, text))  # noqa: B023
        if option.kind.is_path:
            chosen[name] = _beside(chosen[name], folder)
        elif option.kind.is_place:
            chosen[name] = _place_beside(chosen[name], folder)
    return chosen


def _beside(value: Any, folder: str) -> Any:
    if isinstance(value, tuple):
        return tuple(_beside(each, folder) for each in value)
    return os.path.join(folder, value)


def _place_beside(value: Any, folder: str) -> Any:
    if isinstance(value, tuple):
        return tuple(_place_beside(each, folder) for each in value)
    if not value.startswith("unix:") or value == "unix:":
        return value
    return f"unix:{os.path.join(folder, value.removeprefix('unix:'))}"


def _unknown(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name.replace("-", "_"), all_options(), 1)
    return "there is no such setting" + (f"; is it {near[0]}?" if near else "")


def _of_toml(kind: Kind, value: Any) -> Any:
    if kind.is_list and isinstance(value, list):
        return tuple(each for item in value for each in _of_toml(kind, item))
    if isinstance(value, bool):
        if kind.is_flag:
            return value
        raise ValueError(f"{str(value).lower()} is for settings that are on or off")
    if kind.is_flag:
        raise ValueError(f"{value!r} is not true or false")
    if kind.is_octal and not isinstance(value, str):
        # By the time that TOML has read 0o660 it is 432, which is an access mode too.
        raise ValueError('a number may be octal or not: write it in quotes, such as "660"')
    if isinstance(value, str | int | float):
        return kind.read(str(value))
    raise ValueError(f"a {type(value).__name__} is no value for this")


def _read(option: Option, value: Any, where: str, read: Callable[[Any], Any]) -> Any:
    try:
        return read(value)
    except ValueError as error:
        raise SettingsError(f"{where}: {error}") from None
