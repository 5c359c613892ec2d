"""Runs the coroutines among these tests on hoopsnake's own loop, and asks in two ways."""

from collections.abc import Iterator

import hypothesis
import pytest
from asgi_client import SERVED
from coroutine_tests import coroutines_within

pytest_pyfunc_call = coroutines_within(45.0)

# A machine that has other things to do may stand still in the middle of an example.
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")

# What asks an application for these tests; `client_of` looks at SERVED.
_ASKING = ("asgi_client", "twins")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run whatever asks an application twice, unless it says itself how it asks."""
    is_asking = any(
        getattr(each, "__module__", None) in _ASKING for each in vars(metafunc.module).values()
    )
    if is_asking and not hasattr(metafunc.module, "way"):
        metafunc.fixturenames.append("way")
        metafunc.parametrize("way", [False, True], ids=["asgi", "served"], indirect=True)


@pytest.fixture
def way(request: pytest.FixtureRequest) -> Iterator[None]:
    """Ask applications by way of ASGI, or by way of our server."""
    token = SERVED.set(request.param)
    yield
    SERVED.reset(token)
