"""Import strings: what they find, and what the user is told when they find nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hoopsnake._import_string import ImportStringError, load_app

numbers = itertools.count()

APPLICATIONS = """
async def app(scope, receive, send): ...
async def other(scope, receive, send): ...

class Site:
    async def __call__(self, scope, receive, send): ...
    def wsgi(self, environ, start_response): ...

class site:
    class v2:
        api = Site()

def create_app():
    return Site()

def create_with(config): ...
async def create_later(): ...
def create_nothing(): ...
def create_broken():
    raise LookupError("the factory's own fault")

settings = {}
"""

WriteModule = Callable[..., str]


@pytest.fixture
def write_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WriteModule]:
    """Write a module of a name that no other test has used, and return that name."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(source: str = APPLICATIONS, *, package: str = "") -> str:
        name = f"written_{next(numbers)}"
        folder = tmp_path / package
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.py").write_text(source)
        return f"{package}.{name}" if package else name

    yield write


def refusal(import_string: str, *, factory: bool = False) -> str:
    with pytest.raises(ImportStringError) as caught:
        load_app(import_string, factory=factory)
    # A message for people is one line, and does not drag the search for the module behind it.
    assert "\n" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return str(caught.value)


def test_finds_an_attribute(write_module: WriteModule) -> None:
    name = write_module()
    assert load_app(f"{name}:other", factory=False).__name__ == "other"


def test_the_attribute_is_app_when_none_is_named(write_module: WriteModule) -> None:
    name = write_module()
    assert load_app(name, factory=False).__name__ == "app"


def test_follows_a_dotted_attribute(write_module: WriteModule) -> None:
    name = write_module()
    assert type(load_app(f"{name}:site.v2.api", factory=False)).__name__ == "Site"


def test_finds_a_module_in_a_package(write_module: WriteModule) -> None:
    name = write_module(package="shop")
    assert load_app(f"{name}:app", factory=False).__module__ == name


def test_calls_a_factory(write_module: WriteModule) -> None:
    name = write_module()
    assert type(load_app(f"{name}:create_app", factory=True)).__name__ == "Site"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("app.py:app", "'app:app'"),
        ("app.py", "'app'"),
        ("./src/shop/web.py:app", "'src.shop.web:app'"),
        ("shop/web:create", "'shop.web:create'"),
    ],
)
def test_a_path_is_answered_with_the_import_string_that_was_meant(given: str, meant: str) -> None:
    message = refusal(given)
    assert "looks like a path" in message
    assert message.endswith(meant)


@pytest.mark.parametrize("given", ["", ":app", ".web:app", "shop..web:app", " "])
def test_a_string_without_a_module_is_refused(given: str) -> None:
    assert "names no module" in refusal(given)


@pytest.mark.parametrize("given", ["web:", "web:app:app", "web:app()", "web:app.", "web:a b"])
def test_what_is_no_attribute_name_is_refused(given: str) -> None:
    assert "the name of an attribute belongs" in refusal(given)


def test_a_missing_module_is_named(tmp_path: Path, write_module: WriteModule) -> None:
    message = refusal("no_such_module:app")
    assert message.startswith("there is no module 'no_such_module'")
    assert str(tmp_path) in message


def test_a_missing_package_is_named() -> None:
    message = refusal("no_such_package.web:app")
    assert "there is no module 'no_such_package.web', for there is no package" in message


def test_a_module_is_no_package(write_module: WriteModule) -> None:
    name = write_module()
    assert f"there is no module '{name}.web'" in refusal(f"{name}.web:app")


def test_a_missing_attribute_is_named_with_a_close_one(write_module: WriteModule) -> None:
    name = write_module()
    message = refusal(f"{name}:create_ap")
    assert message.endswith("has no attribute 'create_ap'; did you mean 'create_app'?")


def test_a_missing_attribute_of_an_attribute_is_named(write_module: WriteModule) -> None:
    name = write_module()
    assert f"'{name}:site.v2' (a type) has no attribute 'zzz'" in refusal(f"{name}:site.v2.zzz")


def test_what_cannot_be_called_is_refused(write_module: WriteModule) -> None:
    name = write_module()
    assert "is a dict, which cannot be called" in refusal(f"{name}:settings")


@pytest.mark.parametrize(
    ("attribute", "remark"),
    [
        ("create_app", "is it a factory? Then add --factory"),
        ("create_with", "called with scope, receive and send"),
    ],
)
def test_what_can_be_called_neither_as_asgi_nor_as_wsgi_is_refused(
    write_module: WriteModule, attribute: str, remark: str
) -> None:
    name = write_module()
    assert remark in refusal(f"{name}:{attribute}")


@pytest.mark.parametrize(
    ("attribute", "remark"),
    [
        ("app", "leave --factory out"),
        ("create_later", "make it a plain function"),
        ("create_nothing", "returned None, which cannot be called"),
    ],
)
def test_what_is_no_factory_is_refused(
    write_module: WriteModule, attribute: str, remark: str
) -> None:
    name = write_module()
    assert remark in refusal(f"{name}:{attribute}", factory=True)


def test_an_import_that_fails_inside_the_module_is_the_modules_own(
    write_module: WriteModule,
) -> None:
    name = write_module("import a_library_that_is_not_installed")
    with pytest.raises(ModuleNotFoundError, match="a_library_that_is_not_installed"):
        load_app(f"{name}:app", factory=False)


def test_an_exception_of_the_module_goes_through(write_module: WriteModule) -> None:
    name = write_module("1 / 0")
    with pytest.raises(ZeroDivisionError):
        load_app(f"{name}:app", factory=False)


def test_an_exception_of_the_factory_goes_through(write_module: WriteModule) -> None:
    name = write_module()
    with pytest.raises(LookupError, match="the factory's own fault"):
        load_app(f"{name}:create_broken", factory=True)
