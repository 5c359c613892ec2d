"""The scripts behind `make wheel`: which llvm-profdata fits, and what there is without one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"
RUSTC = """#!/bin/sh
if [ "$1" = -vV ]; then
    printf 'rustc 9.9.9\\nhost: some-machine\\nLLVM version: 99.1.2\\n'
else
    echo /nowhere
fi
"""
# So that nothing is installed.
NOT_ROOT = "#!/bin/sh\necho 1000\n"
MATURIN = '#!/bin/sh\nprintf "%s\\n" "$*" "${RUSTFLAGS-}"\n'


def command(folder: Path, name: str, source: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(source)
    (folder / name).chmod(0o755)


def profdata(llvm: str) -> str:
    """What another llvm-profdata would be."""
    return f"#!/bin/sh\necho 'LLVM (https://llvm.org/):\n  LLVM version {llvm}'\n"


class Machine:
    """Where the scripts run: commands of its own come before the system's."""

    def __init__(self, folder: Path) -> None:
        self.commands = folder / "commands"
        self.target = folder / "target"
        self.file = folder / "guide.profdata"
        command(self.commands, "rustc", RUSTC)
        command(self.commands, "id", NOT_ROOT)
        command(self.commands, "maturin", MATURIN)

    def run(self, script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": f"{self.commands}:{os.environ['PATH']}",
            "CARGO_TARGET_DIR": str(self.target),
        }
        ended = subprocess.run(
            (SCRIPTS / script, *arguments),
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return ended

    def maturin(self) -> list[str]:
        """How maturin is called, and with which flags for the compiler."""
        ended = self.run("guided-maturin", self.commands / "maturin", self.file, "build", "--here")
        return ended.stdout.splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize("name", ["llvm-profdata", "llvm-profdata-99"])
def test_the_tool_of_rustcs_llvm_is_found(machine: Machine, name: str) -> None:
    command(machine.commands, name, profdata("99.8.0"))
    assert machine.run("find-profdata").stdout == f"{machine.commands / name}\n"


@pytest.mark.parametrize("llvm", ["14.0.6", "9.9.1", "199.1.2"])
def test_the_tool_of_another_llvm_is_not(machine: Machine, llvm: str) -> None:
    command(machine.commands, "llvm-profdata", profdata(llvm))
    ended = machine.run("find-profdata")
    assert ended.stdout == ""
    assert "there is no llvm-profdata of LLVM 99" in ended.stderr
    assert "rustup component add llvm-tools, or Debian's llvm-99" in ended.stderr


def test_without_the_tool_nothing_is_recorded_and_that_is_said(machine: Machine) -> None:
    machine.file.write_text("of an older build")
    ended = machine.run("record-profile", "no-python", machine.file)
    assert not machine.file.exists()
    assert "what is built is a plain release" in ended.stderr
    assert not machine.target.exists()


def test_without_a_profile_the_build_is_a_plain_release(machine: Machine) -> None:
    assert machine.maturin() == ["build --here --profile release", ""]


def test_a_build_goes_by_its_profile_in_a_folder_of_its_own(machine: Machine) -> None:
    machine.file.write_text("counts")
    line, flags = machine.maturin()
    folder = machine.target / "guided"
    assert line == f"build --here --profile release --target some-machine --target-dir {folder}"
    used = Path(flags.removeprefix("-Cprofile-use="))
    assert (used.parent, used.read_text()) == (folder, "counts")


def test_another_profile_is_another_flag_and_what_went_by_the_old_one_goes(
    machine: Machine,
) -> None:
    machine.file.write_text("counts")
    _, first = machine.maturin()
    left = machine.target / "guided" / "left"
    left.touch()
    assert machine.maturin()[1] == first
    assert left.exists()
    machine.file.write_text("other counts")
    assert machine.maturin()[1] != first
    assert not left.exists()
