"""The `hoop` command: `hoop run` beside plain Python, usage errors, and `hoop serve`'s messages."""

from __future__ import annotations

import py_compile
import re
import signal
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import urlopen

import pytest

import hoopsnake
from hoopsnake._cli import main
from hoopsnake._cli.arguments import command_parser
from hoopsnake._cli.options import all_options
from hoopsnake._cli.settings import chosen_settings

SHOW = """
import json, sys
main = sys.modules["__main__"]
print(json.dumps({
    "argv": sys.argv,
    "path": sys.path[0],
    "names": {name: repr(globals().get(name)) for name in ("__name__", "__file__", "__package__",
        "__cached__", "__doc__", "__annotations__", "__builtins__")},
    "spec": __spec__ and [__spec__.name, __spec__.origin, __spec__.parent],
    "loader": [type(__loader__).__name__, getattr(__loader__, "name", None)],
    "all names": sorted(globals()),
    "is main": vars(main) is globals(),
}, indent=1))
"""

FAILS = """
def inner():
    return {}["missing"]

def outer():
    try:
        inner()
    except KeyError as error:
        raise ValueError("the program's own fault") from error

outer()
"""


HELLO = """
async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"hi"})
"""


class Ending(NamedTuple):
    """How a command ended, and all that it said."""

    status: int
    output: str
    errors: str


def run(*command: str, cwd: Path, given: str = "") -> Ending:
    done = subprocess.run(
        command, cwd=cwd, input=given, capture_output=True, text=True, timeout=50, check=False
    )
    return Ending(done.returncode, done.stdout, done.stderr)


def hoop(*arguments: str, cwd: Path, given: str = "") -> Ending:
    return run(sys.executable, "-m", "hoopsnake", *arguments, cwd=cwd, given=given)


def python(*arguments: str, cwd: Path, given: str = "") -> Ending:
    return run(sys.executable, *arguments, cwd=cwd, given=given)


def last_line(text: str) -> str:
    return text.splitlines()[-1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the same program in every form that Python can run."""
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("import sys\nimported_with = sys.argv[:]\n")
    for name in ("__main__.py", "module.py", "own.py"):
        (package / name).write_text(SHOW)
    (tmp_path / "script.py").write_text(SHOW)
    (tmp_path / "link.py").symlink_to(package / "module.py")
    (tmp_path / "fails.py").write_text(FAILS)
    py_compile.compile(str(package / "own.py"), cfile=str(tmp_path / "compiled.pyc"))
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr("__main__.py", SHOW)
    return tmp_path


def write(folder: Path, source: str) -> str:
    (folder / "program.py").write_text(source)
    return "program.py"


@pytest.mark.parametrize(
    "command",
    [
        "script.py",
        "script.py --help -m -x -- a=b",
        "./package/../script.py one",
        "package/module.py",
        "link.py",
        "compiled.pyc",
        "package --help",
        "archive.zip --version",
        "-m package -m other",
        "-m package.module --help",
        "-mpackage.module one",
        "-m script -- two",
        "-- script.py --",
    ],
)
def test_a_program_sees_what_it_would_see_without_us(folder: Path, command: str) -> None:
    ours = hoop("run", *command.split(), cwd=folder)
    assert ours == python(*command.split(), cwd=folder)
    assert ours.status == 0, ours.errors
    assert '"is main": true' in ours.output


def test_a_program_from_standard_input(folder: Path) -> None:
    ours = hoop("run", "-", "one", "--two", cwd=folder, given=SHOW)
    assert ours == python("-", "one", "--two", cwd=folder, given=SHOW)
    assert '"argv": [\n  "-",' in ours.output


def test_an_absolute_path(folder: Path) -> None:
    path = str(folder / "script.py")
    assert hoop("run", path, cwd=folder.parent) == python(path, cwd=folder.parent)


def test_a_package_around_a_module_sees_the_same_arguments(folder: Path) -> None:
    (folder / "package" / "tell.py").write_text("import package; print(package.imported_with)")
    command = ("-m", "package.tell", "one")
    assert hoop("run", *command, cwd=folder) == python(*command, cwd=folder)


def test_safe_path_leaves_the_path_alone(folder: Path) -> None:
    program = write(folder, "import sys, os; print(os.getcwd() in sys.path)")
    ours = run(sys.executable, "-P", "-m", "hoopsnake", "run", program, cwd=folder)
    assert ours == Ending(0, "False\n", "")


def test_a_module_imported_by_its_package_warns(folder: Path) -> None:
    (folder / "package" / "__init__.py").write_text("import package.module")
    ours = hoop("run", "-m", "package.module", cwd=folder)
    assert "RuntimeWarning: 'package.module' found in sys.modules" in ours.errors


@pytest.mark.parametrize(
    "command", ["missing.py", "-m missing", "-m script.missing", "-m .script", "-m package.missing"]
)
def test_what_is_not_there_is_one_line(folder: Path, command: str) -> None:
    ours = hoop("run", *command.split(), cwd=folder)
    plain = python(*command.split(), cwd=folder)
    assert (ours.status, ours.output) == (plain.status, plain.output)
    assert len(ours.errors.splitlines()) == 1
    assert ours.errors.startswith("hoop: error: ")


def test_a_missing_script_is_named_as_python_names_it(folder: Path) -> None:
    ours = hoop("run", "missing.py", cwd=folder)
    plain = python("missing.py", cwd=folder)
    assert ours.status == 2
    reason = plain.errors.removeprefix(f"{sys.executable}: ")
    assert ours.errors == f"hoop: error: {reason}"


def test_a_package_or_folder_without_main(folder: Path) -> None:
    (folder / "package" / "__main__.py").unlink()
    for command in (["package"], ["-m", "package"]):
        ours = hoop("run", *command, cwd=folder)
        assert ours.status == python(*command, cwd=folder).status == 1
        assert "__main__" in ours.errors
        assert len(ours.errors.splitlines()) == 1


@pytest.mark.parametrize(
    "source",
    [
        FAILS,
        "def f(:\n    pass\n",
        "async def f(): pass\ndef g():\n    await f()\n",
        "print('no end\n",
        "import a_library_that_is_not_there\n",
        "raise SystemExit\n",
        "raise SystemExit(3)\n",
        "import sys\nsys.exit('a message')\n",
        "raise KeyboardInterrupt\n",
        "import asyncio\nraise asyncio.CancelledError\n",
        "import atexit\natexit.register(print, 'at exit')\nraise RuntimeError('first')\n",
        "class Odd(Exception):\n    def __str__(self): raise ValueError\nraise Odd\n",
        "raise ExceptionGroup('two', [ValueError(1), TypeError(2)])\n",
        "# coding: latin-1\nprint('\u00e9')\n",
        "from threading import Thread, main_thread\n"
        "Thread(target=lambda: (main_thread().join(), print('after the main thread'))).start()\n",
        "import sys\nprint('out'); print('err', file=sys.stderr)\n",
        "class Last:\n    def __del__(self): print('deleted')\nlast = Last()\n",
        "import atexit, sys\n"
        "atexit.register(lambda: print(sys.excepthook is sys.__excepthook__))\nsys.exit(4)\n",
    ],
)
def test_a_program_ends_as_it_would_end_without_us(folder: Path, source: str) -> None:
    program = write(folder, source)
    ours = hoop("run", program, cwd=folder)
    assert ours == python(program, cwd=folder)
    assert "hoopsnake" not in ours.errors


def test_the_traceback_of_a_module_has_its_own_frames_only(folder: Path) -> None:
    ours = hoop("run", "-m", "fails", cwd=folder)
    assert ours == python("fails.py", cwd=folder)
    assert last_line(ours.errors) == "ValueError: the program's own fault"


def test_the_traceback_of_a_broken_package_has_its_own_frames_only(folder: Path) -> None:
    (folder / "package" / "__init__.py").write_text("1 / 0")
    ours = hoop("run", "-m", "package.module", cwd=folder)
    assert ours.status == 1
    assert ours.errors.count("  File ") == 1
    assert last_line(ours.errors) == "ZeroDivisionError: division by zero"


def test_a_library_that_a_package_does_not_find_is_the_packages_fault(folder: Path) -> None:
    (folder / "package" / "__init__.py").write_text("import a_library_that_is_not_there")
    ours = hoop("run", "-m", "package.module", cwd=folder)
    assert "Traceback" in ours.errors
    assert last_line(ours.errors) == (
        "ModuleNotFoundError: No module named 'a_library_that_is_not_there'"
    )


def test_the_programs_own_hook_gets_its_exception(folder: Path) -> None:
    program = write(
        folder,
        """
import atexit, sys, traceback

def hook(kind, value, shown):
    frames = [frame.name for frame in traceback.extract_tb(shown)]
    print(kind.__name__, value, frames, value.__traceback__ is shown)

def look():
    print(sys.excepthook is hook, sys.last_value, sys.last_traceback.tb_frame.f_lineno)

def fail():
    raise ValueError("mine")

sys.excepthook = hook
atexit.register(look)
fail()
""",
    )
    ours = hoop("run", program, cwd=folder)
    assert ours == python(program, cwd=folder)
    assert ours.output.startswith("ValueError mine ['<module>', 'fail'] True\n")


WHOSE = """
import asyncio
from threading import Thread

async def whose():
    return type(asyncio.get_running_loop()).__module__.partition(".")[0]

def in_new_event_loop():
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(whose())
    finally:
        loop.close()

def in_runner(**options):
    with asyncio.Runner(**options) as runner:
        return runner.run(whose())

def in_thread():
    seen = []
    thread = Thread(target=lambda: seen.append(asyncio.run(whose())))
    thread.start()
    thread.join()
    return seen[0]

if __name__ == "__main__":
    print({})
"""


@pytest.mark.parametrize(
    "expression",
    ["asyncio.run(whose())", "in_runner()", "in_new_event_loop()", "in_thread()"],
)
def test_every_way_to_run_a_coroutine_uses_our_loop(folder: Path, expression: str) -> None:
    program = write(folder, WHOSE.replace("{}", expression))
    assert hoop("run", program, cwd=folder) == Ending(0, "hoopsnake\n", "")
    assert hoop("run", "-m", "program", cwd=folder) == Ending(0, "hoopsnake\n", "")
    assert python(program, cwd=folder) == Ending(0, "asyncio\n", "")


def test_a_program_that_names_its_loop_gets_that_one(folder: Path) -> None:
    factory = "in_runner(loop_factory=asyncio.SelectorEventLoop)"
    program = write(folder, WHOSE.replace("{}", factory))
    assert hoop("run", program, cwd=folder) == Ending(0, "asyncio\n", "")


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_pickle_and_multiprocessing_find_the_programs_classes(folder: Path, method: str) -> None:
    program = write(
        folder,
        f"""
import multiprocessing, pickle

class Point:
    def __init__(self, x): self.x = x

def double(point):
    return Point(point.x * 2)

if __name__ == "__main__":
    print(pickle.loads(pickle.dumps(Point(3))).x)
    with multiprocessing.get_context({method!r}).Pool(1) as pool:
        print([point.x for point in pool.map(double, [Point(1), Point(2)])])
""",
    )
    expected = Ending(0, "3\n[2, 4]\n", "")
    assert hoop("run", program, cwd=folder) == python(program, cwd=folder) == expected
    assert hoop("run", "-m", "program", cwd=folder) == expected


def test_a_program_starts_without_the_parts_of_the_command_that_it_does_not_need(
    folder: Path,
) -> None:
    write(folder, "import sys; print({'argparse', 'runpy'} & {*sys.modules})")
    ours = run(
        sys.executable,
        "-c",
        "from hoopsnake._cli import main; main(['run', 'program.py'])",
        cwd=folder,
    )
    assert ours == Ending(0, "set()\n", "")


def test_control_c_reaches_the_program(folder: Path) -> None:
    program = write(folder, "print('ready', flush=True)\nimport time\ntime.sleep(50)\n")
    command = [sys.executable, "-m", "hoopsnake", "run", program]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == -signal.SIGINT
    assert errors.count("  File ") == 1
    assert last_line(errors) == "KeyboardInterrupt"


def test_the_console_script_is_the_same_command(folder: Path) -> None:
    script = Path(sys.executable).with_name("hoop")
    ours = run(str(script), "run", "script.py", "--help", cwd=folder)
    assert ours == python("script.py", "--help", cwd=folder)
    failed = run(str(script), "run", "fails.py", cwd=folder)
    assert failed == python("fails.py", cwd=folder)


def test_version(tmp_path: Path) -> None:
    ours = hoop("--version", cwd=tmp_path)
    assert ours.status == 0
    assert ours.output.startswith(f"hoop {hoopsnake.__version__} (")


@pytest.mark.parametrize("command", ["--help", "run --help", "run -h", "serve --help"])
def test_help_has_examples(tmp_path: Path, command: str) -> None:
    ours = hoop(*command.split(), cwd=tmp_path)
    assert ours.status == 0
    assert ours.output.startswith("usage: hoop")
    assert "examples:\n  hoop " in ours.output


@pytest.mark.parametrize(
    ("command", "remark"),
    [
        ("", "usage: hoop"),
        ("sreve app", "invalid choice: 'sreve'"),
        ("run", "name the script or the module to run"),
        ("run --", "name the script or the module to run"),
        ("run -m", "-m wants the name of a module"),
        ("run --fast script.py", "unknown option --fast"),
        ("serve", "name the application"),
        ("serve web:app --port 65536", "'65536' is no port"),
        ("serve web:app --port http", "'http' is no port"),
        ("serve web:app --graceful-timeout -1", "'-1' is no number of seconds"),
        ("serve web:app --graceful-timeout inf", "'inf' is no number of seconds"),
        ("serve web:app --root-path shop", "'shop' must begin with a slash"),
        ("serve web:app --lifespan maybe", "'maybe' is not one of auto, on, off"),
        ("serve web:app --log-level loud", "'loud' is not one of critical, error"),
        ("serve web:app --fac", "unrecognized arguments: --fac"),
        ("serve web:app --uds s --port 1", "leave out host and port"),
        ("serve web:app --bind unix:s --port 1", "leave out host, port and uds"),
        ("serve web:app --bind 8000", "'8000' is no place to listen on"),
        ("serve web:app --uds s --uds-permissions 888", "'888' is no access mode in octal"),
        ("serve web:app --app-dir nowhere", "--app-dir: 'nowhere' is no directory"),
    ],
)
def test_a_wrong_command_says_what_is_wrong(tmp_path: Path, command: str, remark: str) -> None:
    ours = hoop(*command.split(), cwd=tmp_path)
    assert ours.status == 2
    assert ours.output == ""
    assert remark in ours.errors
    assert "Traceback" not in ours.errors


@pytest.mark.parametrize(
    ("application", "remark"),
    [
        ("web.py:app", "such as 'web:app'"),
        ("webb:app", "there is no module 'webb'"),
        ("web:ap", "did you mean 'app'?"),
        ("web:create", "is it a factory? Then add --factory"),
    ],
)
def test_a_wrong_application_is_one_line(tmp_path: Path, application: str, remark: str) -> None:
    (tmp_path / "web.py").write_text(
        "async def app(scope, receive, send): ...\ndef create(): return app\n"
    )
    ours = hoop("serve", application, cwd=tmp_path)
    assert (ours.status, ours.output) == (2, "")
    assert ours.errors.startswith("hoop: error: ")
    assert len(ours.errors.splitlines()) == 1
    assert remark in ours.errors


def test_an_application_that_fails_to_import_shows_its_own_traceback(tmp_path: Path) -> None:
    (tmp_path / "web.py").write_text("import shop\n")
    (tmp_path / "shop.py").write_text("import a_library_that_is_not_there\n")
    ours = hoop("serve", "web:app", cwd=tmp_path)
    assert ours.status == 1
    assert ours.errors.count("  File ") == 2
    assert last_line(ours.errors) == (
        "ModuleNotFoundError: No module named 'a_library_that_is_not_there'"
    )


def test_a_factory_that_fails_shows_its_own_traceback(tmp_path: Path) -> None:
    (tmp_path / "web.py").write_text("def create():\n    raise LookupError('no settings')\n")
    ours = hoop("serve", "web:create", "--factory", cwd=tmp_path)
    assert ours.status == 1
    assert ours.errors.count("  File ") == 1
    assert last_line(ours.errors) == "LookupError: no settings"


def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "web.py").write_text("async def app(scope, receive, send): ...\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ours = hoop("serve", "web", "--app-dir", "source", "--port", port, cwd=tmp_path)
    assert ours.status == 1
    assert last_line(ours.errors).startswith("hoop: error: ")
    assert port in last_line(ours.errors)
    assert "Traceback" not in ours.errors


@pytest.fixture
def served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[tuple[Any, hoopsnake.ServerConfig]]]:
    """What `hoop serve` gives to the server, which does not run."""
    (tmp_path / "configured.py").write_text(HELLO)
    seen: list[tuple[Any, hoopsnake.ServerConfig]] = []
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.setattr(hoopsnake, "serve", lambda app, config: (app, config))
    monkeypatch.setattr(hoopsnake, "run", seen.append)
    monkeypatch.chdir(tmp_path)
    yield seen
    sys.modules.pop("configured", None)


def test_the_server_gets_what_the_command_says(
    served: list[tuple[Any, hoopsnake.ServerConfig]],
) -> None:
    options = (
        "--host 0.0.0.0 --port 81 --log-level debug --access-log --graceful-timeout 1.5 "
        "--root-path /shop/ --lifespan off"
    )
    assert main(["serve", "configured:app", *options.split()]) == 0
    [(application, config)] = served
    assert application is sys.modules["configured"].app
    assert (config.host, config.port, config.uds) == ("0.0.0.0", 81, None)
    assert (config.log_level, config.access_log) == ("debug", True)
    assert (config.graceful_timeout, config.root_path) == (1.5, "/shop")
    assert config.lifespan == "off"


def test_the_limits_that_the_command_says(
    served: list[tuple[Any, hoopsnake.ServerConfig]],
) -> None:
    options = (
        "--header-timeout 2.5 --keep-alive-timeout 0 --body-rate 1k --body-grace 1 "
        "--send-timeout 3 --response-timeout 4 --body-size 2G --head-size 8K --header-count 7 "
        "--target-size 100 --pipelined-requests 1 --connections 9 --concurrency 10 --queue 0"
    )
    assert main(["serve", "configured", *options.split()]) == 0
    assert served[0][1].limits == hoopsnake.ServerLimits(
        header_timeout=2.5,
        keep_alive_timeout=0,
        body_rate=1024,
        body_grace=1,
        send_timeout=3,
        response_timeout=4,
        body_size=2 * 1024**3,
        head_size=8192,
        header_count=7,
        target_size=100,
        pipelined_requests=1,
        connections=9,
        concurrency=10,
        queue=0,
    )


def test_the_command_has_an_option_for_every_field() -> None:
    owned = {(group.owner, name) for name, (group, _) in all_options().items()}
    for owner in (hoopsnake.ServerConfig, hoopsnake.ServerLimits):
        for each in fields(owner):
            assert (owner, each.name) in owned or each.name == "limits", each.name


def test_the_command_has_the_defaults_of_the_server() -> None:
    assert chosen_settings({}, {}).server_config() == hoopsnake.ServerConfig()


@pytest.mark.parametrize(
    "option", ["--body-size -1", "--body-size 1X", "--queue K", "--queue 1.5", "--ws-max-size 1T"]
)
def test_limits_that_the_command_cannot_read(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        command_parser().parse_args(["serve", "configured", *option.split()])
    assert left.value.code == 2
    assert option.split()[0] in capsys.readouterr().err


def test_what_the_command_leaves_out(served: list[tuple[Any, hoopsnake.ServerConfig]]) -> None:
    assert main(["serve", "configured"]) == 0
    [(_, config)] = served
    assert (config.host, config.port, config.uds) == ("127.0.0.1", 8000, None)
    assert (config.log_level, config.access_log) == ("info", False)
    assert (config.graceful_timeout, config.root_path, config.lifespan) == (10.0, "", "auto")


def test_a_socket_file_instead_of_a_port(
    served: list[tuple[Any, hoopsnake.ServerConfig]],
) -> None:
    assert main(["serve", "configured", "--uds", "shop.sock"]) == 0
    assert served[0][1].uds == "shop.sock"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serves_until_it_is_asked_to_stop(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "web.py").write_text(HELLO)
    command = [sys.executable, "-m", "hoopsnake", "serve", "web:app", "--port", "0"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert process.stdout is not None
            said = ""
            while not (address := re.search(r"http://127\.0\.0\.1:\d+", said)):
                line = process.stdout.readline()
                assert line, f"it ended, and had said: {said}"
                said += line
            with urlopen(address.group(), timeout=20) as answer:
                assert answer.read() == b"hi"
            process.send_signal(number)
            rest, _ = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 0
    assert "Traceback" not in said + rest
