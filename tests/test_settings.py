"""Where `hoop serve` has its settings from: command line, environment, file, and what it prints."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

import hoopsnake
from hoopsnake._cli import main
from hoopsnake._cli.arguments import command_parser
from hoopsnake._cli.options import all_options
from hoopsnake._cli.printed_settings import printed_settings
from hoopsnake._cli.settings import Settings, SettingsError, chosen_settings
from hoopsnake._workers.config import WorkerConfig


def settings(command: str = "", **environment: str) -> Settings:
    chosen = command_parser().parse_args(["serve", *command.split()])
    return chosen_settings(vars(chosen), environment)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "hoop.toml"
    path.write_text(
        """
        [serve]
        app = "shop.web:app"
        app_dir = "src"
        port = 1111
        root_path = "/file"
        access_log = true
        body_size = "10M"
        ws_ping_interval = 0
        header_timeout = 2.5
        ssl_certfile = "tls/chain.pem"
        """
    )
    return path


def test_the_command_line_counts_before_the_environment_and_that_before_the_file(
    file: Path,
) -> None:
    assert settings().all["port"] == (8000, "default")
    assert settings(f"--config {file}").all["port"] == (1111, "file")
    found = settings(f"--config {file}", HOOP_PORT="2222")
    assert found.all["port"] == (2222, "environment")
    found = settings(f"--config {file} --port 3333 --no-access-log", HOOP_PORT="2222")
    assert found.all["port"] == (3333, "command line")
    assert found.all["access_log"] == (False, "command line")
    assert found.all["root_path"] == ("/file", "file")


def test_places_to_listen_on_are_repeated_or_listed_and_go_together(tmp_path: Path) -> None:
    config = settings("--bind a:1 --bind [::1]:2", HOOP_PORT="5").server_config()
    assert config.bind == ("a:1", "[::1]:2")
    config = settings(HOOP_BIND="unix:/s, fd:3", HOOP_UDS_PERMISSIONS="660").server_config()
    assert (config.bind, config.uds_permissions) == (("unix:/s", "fd:3"), 0o660)
    path = tmp_path / "hoop.toml"
    path.write_text('[serve]\nbind = ["a:1", "b:2"]')
    assert settings(f"--config {path}").server_config().bind == ("a:1", "b:2")
    config = settings(f"--config {path} --uds /s").server_config()
    assert (config.bind, config.uds) == ((), "/s")
    with pytest.raises(SettingsError, match=r"leave out host, port and uds \(environment\)"):
        settings(HOOP_BIND="a:1", HOOP_UDS="/s")


def test_worker_processes_are_settings_like_others() -> None:
    assert settings().worker_config() == WorkerConfig()
    command = "--workers 4 --max-requests 0 --worker-lifetime 60 --worker-memory 1G"
    assert settings(command).worker_config() == WorkerConfig(
        workers=4, worker_lifetime=60.0, worker_memory=1024**3
    )
    command = "--reload --reload-dir a --reload-dir b --reload-include *.html"
    found = settings(command, HOOP_RELOAD_EXCLUDE="c, d").worker_config()
    assert found == WorkerConfig(
        reload=True, reload_dir=("a", "b"), reload_include=("*.html",), reload_exclude=("c", "d")
    )
    assert settings(HOOP_WORKERS="0").worker_config().workers is None


def test_a_file_is_named_by_the_environment_too(file: Path) -> None:
    config = settings(HOOP_CONFIG=str(file)).server_config()
    assert (config.port, config.access_log, config.ws_ping_interval) == (1111, True, None)
    assert (config.limits.body_size, config.limits.header_timeout) == (10 * 1024**2, 2.5)


def test_paths_in_a_file_begin_at_its_folder(file: Path) -> None:
    found = settings(f"--config {file}")
    assert found.application.app_dir == str(file.parent / "src")
    assert found.all["ssl_certfile"].value == str(file.parent / "tls/chain.pem")


def test_variables_have_the_names_of_the_options() -> None:
    config = settings(
        "shop",
        HOOP_SSL_CERTFILE="a.pem",
        HOOP_HTTP2="off",
        HOOP_QUEUE="3",
        HOOP_WS_PING_TIMEOUT="0",
    ).server_config()
    assert (config.ssl_certfile, config.http2) == ("a.pem", False)
    assert (config.limits.queue, config.ws_ping_timeout) == (3, None)


def test_whoever_says_where_to_listen_says_all_of_it(tmp_path: Path) -> None:
    path = tmp_path / "hoop.toml"
    path.write_text('[serve]\nuds = "shop.sock"\n')
    config = settings(f"--config {path} --port 81").server_config()
    assert (config.uds, config.port) == (None, 81)
    config = settings(f"--config {path}", HOOP_HOST="::1").server_config()
    assert (config.uds, config.host) == (None, "::1")
    config = settings("--uds here.sock", HOOP_PORT="81").server_config()
    assert (config.uds, config.port) == ("here.sock", 8000)


@pytest.mark.parametrize(
    ("content", "remark"),
    [
        ("[serve", "is not TOML"),
        ("serve = 1", "is not a table"),
        ("port = 1", "port: settings stand in the table [serve]"),
        ("[serve]\nprot = 1", "serve.prot: there is no such setting; is it port?"),
        ("[serve]\nws-max-size = 1", "is it ws_max_size?"),
        ("[serve]\nport = true", "serve.port: true is for settings that are on or off"),
        ('[serve]\nhttp2 = "yes"', "serve.http2: 'yes' is not true or false"),
        ("[serve]\nport = 70000", "serve.port: '70000' is no port"),
        ("[serve]\nport = [1]", "serve.port: a list is no value for this"),
        ('[serve]\nuds = "a"\nport = 1', "uds listens on a socket file"),
        ('[serve]\nbody_size = "1X"', "serve.body_size: '1X' is no size"),
        ("[serve]\nuds_permissions = 0o660", "serve.uds_permissions: a number may be octal"),
        ("[serve]\nuds_permissions = 660", 'write it in quotes, such as "660"'),
    ],
)
def test_a_file_that_cannot_be_meant(tmp_path: Path, content: str, remark: str) -> None:
    path = tmp_path / "hoop.toml"
    path.write_text(content)
    with pytest.raises(SettingsError) as raised:
        settings(f"--config {path}")
    assert remark in str(raised.value)


def test_a_variable_that_cannot_be_meant_is_named() -> None:
    with pytest.raises(SettingsError, match=r"HOOP_PORT: 'tcp://10\.0\.0\.1:80' is no port"):
        settings(HOOP_PORT="tcp://10.0.0.1:80")


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--config", str(tmp_path / "none.toml")]) == 2
    assert "none.toml: cannot be read: No such file" in capsys.readouterr().err


def test_what_is_printed_says_the_same_when_it_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOP_ROOT_PATH", '/a"b')
    command = [
        "serve",
        "shop:app",
        "--print-config",
        "--uds",
        "/run/shop.sock",
        "--body-size",
        "3M",
    ]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert 'body_size = "3M"  # command line' in printed
    assert "# environment" in printed
    monkeypatch.delenv("HOOP_ROOT_PATH")
    path = tmp_path / "hoop.toml"
    path.write_text(printed)
    found = settings(f"--config {path}")
    assert found.application.app == "shop:app"
    expected = hoopsnake.ServerConfig(
        uds="/run/shop.sock", root_path='/a"b', limits=hoopsnake.ServerLimits(body_size=3 * 1024**2)
    )
    assert found.server_config() == expected


def test_numbers_are_printed_with_all_their_digits_and_no_more(tmp_path: Path) -> None:
    command = "--header-timeout 1234567.25 --send-timeout 10.0 --uds-permissions 660"
    printed = printed_settings(settings(command))
    assert "header_timeout = 1234567.25  #" in printed
    assert "send_timeout = 10  #" in printed
    assert 'uds_permissions = "660"  #' in printed
    path = tmp_path / "hoop.toml"
    path.write_text(printed)
    assert settings(f"--config {path}").server_config() == settings(command).server_config()


def test_unix_sockets_of_a_file_are_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "hoop.toml"
    path.write_text('[serve]\nbind = ["unix:a.sock", "unix:/b.sock", "h:1"]\nadmin = "unix:c"\n')
    config = settings(f"--config {path}").server_config()
    assert config.bind == (f"unix:{tmp_path}/a.sock", "unix:/b.sock", "h:1")
    assert config.admin == f"unix:{tmp_path}/c"
    assert settings("--bind unix:a.sock").server_config().bind == ("unix:a.sock",)


def test_settings_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(hoopsnake.ServerError, match="max_requests means nothing with reload"):
        settings("--reload --workers 1 --max-requests 5").worker_config()
    with pytest.raises(hoopsnake.ServerError, match="root_path '/shop/' ends with '/'"):
        hoopsnake.ServerConfig(root_path="/shop/")


def test_every_default_can_be_printed_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "hoop.toml"
    path.write_text(printed_settings(settings()))
    read = tomllib.loads(path.read_text())["serve"]
    found = settings(f"--config {path}")
    assert found.server_config() == hoopsnake.ServerConfig()
    for name, (group, option) in all_options().items():
        default: Any = group.default(option)
        assert name in read or default is None, name


def test_a_wrong_setting_is_found_by_printing_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--print-config", "--ssl-keyfile", "key.pem"]) == 1
    assert "ssl_keyfile needs ssl_certfile" in capsys.readouterr().err


def test_without_an_application_it_says_what_is_missing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["serve"]) == 2
    assert "name the application" in capsys.readouterr().err


def test_folders_of_a_file_are_beside_it_and_their_prefixes_stay(tmp_path: Path) -> None:
    path = tmp_path / "hoop.toml"
    path.write_text('[serve]\nstatic = ["/assets=dist", "/=/srv/www"]\ncompress = ["br", "gzip"]\n')
    config = settings(f"--config {path}").server_config()
    assert config.static == (("/assets", str(tmp_path / "dist")), ("/", "/srv/www"))
    assert config.compress == ("br", "gzip")
    config = settings("--static /a=b --static /c=d", HOOP_COMPRESS="zstd,gzip").server_config()
    assert config.static == (("/a", "b"), ("/c", "d"))
    assert config.compress == ("zstd", "gzip")
    for wrong in ("assets=dist", "/assets", "/assets="):
        with pytest.raises(SettingsError, match="such as /assets=dist"):
            settings(HOOP_STATIC=wrong)
