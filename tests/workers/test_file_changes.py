"""Which files `--reload` sees change."""

from __future__ import annotations

import os
from pathlib import Path

from hoopsnake._workers.file_changes import FileChanges


def changes(folder: Path, include: tuple[str, ...] = ("*.py",), *exclude: str) -> FileChanges:
    return FileChanges([str(folder)], include, exclude)


def names(paths: list[str], folder: Path) -> list[str]:
    return [os.path.relpath(path, folder) for path in paths]


def test_what_is_written_added_moved_and_removed_is_seen(tmp_path: Path) -> None:
    (tmp_path / "kept.py").write_text("")
    (tmp_path / "gone.py").write_text("")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "deep.py").write_text("one")
    seen = changes(tmp_path)
    assert seen.look() == []
    (tmp_path / "new.py").write_text("")
    (tmp_path / "gone.py").unlink()
    (tmp_path / "package" / "deep.py").write_text("longer")
    assert names(seen.look(), tmp_path) == ["gone.py", "new.py", "package/deep.py"]
    assert seen.look() == []


def test_a_file_that_is_replaced_by_one_of_the_same_size_and_time_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("one")
    seen = changes(tmp_path)
    other = tmp_path / "other"
    other.write_text("two")
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    other.replace(file)
    assert names(seen.look(), tmp_path) == ["a.py"]


def test_what_is_not_the_applications_own_is_passed_over(tmp_path: Path) -> None:
    for folder in (".git", "__pycache__", "node_modules", "environment/lib"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "environment" / "pyvenv.cfg").write_text("")
    seen = changes(tmp_path)
    for folder in (".git", "__pycache__", "node_modules", "environment/lib"):
        (tmp_path / folder / "a.py").write_text("")
    (tmp_path / "page.html").write_text("")
    assert seen.look() == []


def test_an_environment_that_is_named_itself_is_watched(tmp_path: Path) -> None:
    (tmp_path / "pyvenv.cfg").write_text("")
    seen = changes(tmp_path)
    (tmp_path / "a.py").write_text("")
    assert names(seen.look(), tmp_path) == ["a.py"]


def test_patterns_fit_names_and_paths(tmp_path: Path) -> None:
    (tmp_path / "drafts").mkdir()
    (tmp_path / "pages").mkdir()
    seen = changes(tmp_path, ("*.html", "pages/*.txt"), "drafts", "*/old.html")
    for name in ("drafts/a.html", "pages/a.txt", "pages/old.html", "a.txt", "b.html"):
        (tmp_path / name).write_text("")
    assert names(seen.look(), tmp_path) == ["b.html", "pages/a.txt"]


def test_a_circle_of_links_ends(tmp_path: Path) -> None:
    (tmp_path / "self").symlink_to(tmp_path)
    (tmp_path / "nowhere.py").symlink_to(tmp_path / "none")
    seen = changes(tmp_path)
    (tmp_path / "a.py").write_text("")
    assert names(seen.look(), tmp_path) == ["a.py"]


def test_a_folder_that_is_not_there_yet_is_watched_once_it_is(tmp_path: Path) -> None:
    seen = changes(tmp_path / "later")
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "a.py").write_text("")
    assert names(seen.look(), tmp_path) == ["later/a.py"]
