"""What the guide says of security, sessions and limits is what its programs do."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from asgi_client import client_of

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "web.md"


def application(name: str) -> Any:
    """Run a program of the guide, and return its `app`."""
    for block in re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL):
        if block.startswith(f"# {name}.py\n"):
            module = ModuleType(f"guide_{name}")
            # Where annotations are looked up.
            sys.modules[module.__name__] = module
            exec(compile(block, f"{name}.py", "exec"), module.__dict__)
            return module.__dict__["app"]
    raise LookupError(name)


async def test_the_vault_opens_for_a_token() -> None:
    async with client_of(application("vault")) as client:
        assert (await client.get("/inside")).status_code == 401
        wrong = await client.post("/token", json={"name": "ali", "password": "barley"})
        assert (wrong.status_code, wrong.json()) == (401, {"detail": "that is not the word"})
        right = await client.post("/token", json={"name": "ali", "password": "sesame"})
        bearer = {"authorization": f"Bearer {right.json()['access_token']}"}
        assert (await client.get("/inside", headers=bearer)).json() == "gold, ali"
        bearer["authorization"] += "x"
        forged = await client.get("/inside", headers=bearer)
        assert forged.status_code == 401
        document = (await client.get("/openapi.json")).json()
    assert document["paths"]["/inside"]["get"]["security"] == [{"OAuth2PasswordBearer": ["open"]}]


async def test_visits_are_counted_and_forgotten() -> None:
    async with client_of(application("visits")) as client:
        assert (await client.get("/")).json() == {"visits": 1}
        assert (await client.get("/")).json() == {"visits": 2}
        elsewhere = {"origin": "https://evil.test", "sec-fetch-site": "cross-site"}
        assert (await client.post("/forget", headers=elsewhere)).status_code == 403
        assert (await client.get("/")).json() == {"visits": 3}
        here = {"sec-fetch-site": "same-origin"}
        assert (await client.post("/forget", headers=here)).status_code == 200
        assert (await client.get("/")).json() == {"visits": 1}
        shop = await client.get("/", headers={"origin": "https://shop.example"})
        assert shop.headers["access-control-allow-origin"] == "https://shop.example"


async def test_the_gate_lets_five_try() -> None:
    # By way of ASGI: over the Unix socket of the other tests clients have no addresses.
    async with client_of(application("gate"), served=False) as client:
        statuses = [(await client.post("/login?name=ali")).status_code for _ in range(6)]
        assert statuses == [200] * 5 + [429]
    async with client_of(application("gate")) as client:
        big = await client.post("/login?name=ali", content=b"x" * 2000)
        assert big.status_code == 413
