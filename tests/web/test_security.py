"""Security schemes: the same application made with FastAPI and with hoopsnake.web."""

import base64
from types import ModuleType
from typing import Annotated, Any

import fastapi
import fastapi.security
import httpx
import pytest
from asgi_client import client_of, get

from hoopsnake import web
from hoopsnake.web import security


def make(web: ModuleType, security: Any) -> Any:
    app = web.FastAPI() if hasattr(web, "FastAPI") else web.App()
    schemes = {
        "password": security.OAuth2PasswordBearer(
            "token", scopes={"read": "to read", "write": "to write"}, refreshUrl="again"
        ),
        "code": security.OAuth2AuthorizationCodeBearer("/authorize", "/token", description="c"),
        "oauth2": security.OAuth2(scheme_name="own", flows={"implicit": FLOW}),
        "bearer": security.HTTPBearer(bearerFormat="JWT"),
        "basic": security.HTTPBasic(realm="here"),
        "plain": security.HTTPBasic(scheme_name="Plain"),
        "digest": security.HTTPDigest(description="d"),
        "header": security.APIKeyHeader(name="X-Key"),
        "query": security.APIKeyQuery(name="key"),
        "cookie": security.APIKeyCookie(name="key"),
        "openid": security.OpenIdConnect(openIdConnectUrl="/.well-known"),
        "maybe": security.HTTPBearer(scheme_name="Maybe", auto_error=False),
        "maybe-key": security.APIKeyHeader(name="k", scheme_name="MaybeKey", auto_error=False),
        "maybe-password": security.OAuth2PasswordBearer(
            "t", scheme_name="MaybePassword", auto_error=False
        ),
    }
    for name, scheme in schemes.items():
        _add(app, web, name, scheme)
    _add_scopes(app, web, security, schemes["password"])
    _add_forms(app, web, security)
    return app


def _add_forms(app: Any, web: ModuleType, security: Any) -> None:
    names = ("grant_type", "username", "password", "scopes", "client_id", "client_secret")

    @app.post("/token")
    async def token(form: Annotated[security.OAuth2PasswordRequestForm, web.Depends()]) -> Any:
        return [getattr(form, name) for name in names]

    @app.post("/strict")
    async def strict(
        form: Annotated[security.OAuth2PasswordRequestFormStrict, web.Depends()],
    ) -> Any:
        return [getattr(form, name) for name in names]


FLOW = {"authorizationUrl": "/a", "scopes": {"x": "y"}}


def _add(app: Any, web: ModuleType, name: str, scheme: Any) -> None:
    @app.get(f"/{name}", name=name)
    async def handler(found: Annotated[Any, web.Depends(scheme)]) -> Any:
        if found is None or isinstance(found, str):
            return found
        names = ("scheme", "credentials", "username", "password")
        return {each: getattr(found, each) for each in names if hasattr(found, each)}


def _add_scopes(app: Any, web: ModuleType, security: Any, scheme: Any) -> None:
    calls: list[list[str]] = []

    async def plain(token: Annotated[str, web.Depends(scheme)]) -> str:
        return token

    async def user(
        scopes: security.SecurityScopes, token: Annotated[str, web.Depends(plain)]
    ) -> list[str]:
        calls.append(scopes.scopes)
        return [*scopes.scopes, scopes.scope_str, token]

    async def reader(user: Annotated[list[str], web.Security(user, scopes=["read"])]) -> Any:
        return user

    @app.get("/scopes", dependencies=[web.Security(user, scopes=["admin"])])
    async def scopes(
        reader: Annotated[Any, web.Security(reader, scopes=["write"])],
        again: Annotated[Any, web.Security(user, scopes=["write", "read"])],
        none: Annotated[Any, web.Depends(user)],
    ) -> Any:
        seen = sorted(calls)
        calls.clear()
        return [reader, again, none, seen]


OURS = make(web, security)
THEIRS = make(fastapi, fastapi.security)
PATHS = sorted(path for path, each in THEIRS.openapi()["paths"].items() if "get" in each)


def basic(pair: bytes) -> str:
    return "Basic " + base64.b64encode(pair).decode()


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "bearer t0ken",
        "Bearer a b",
        "Bearer  two",
        "Digest x=y",
        basic(b"ada:secret:more"),
        basic(b"ada"),
        basic(b":"),
        "Basic x",
        "Basic",
        "Bearertoken",
    ],
)
async def test_whoever_authenticates_gets_the_same_answer(authorization: str | None) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    async with client_of(OURS) as ours, client_of(THEIRS, served=False) as theirs:
        for path in PATHS:
            await _same(ours, theirs, path, headers=headers)


async def _same(
    ours: httpx.AsyncClient, theirs: httpx.AsyncClient, path: str, **options: Any
) -> None:
    found, expected = await ours.get(path, **options), await theirs.get(path, **options)
    assert found.status_code == expected.status_code, path
    assert found.json() == expected.json(), path
    assert found.headers.get("www-authenticate") == expected.headers.get("www-authenticate"), path


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("/header", {"headers": {"x-key": "one"}}),
        ("/header", {"headers": {"x-key": ""}}),
        ("/query", {"params": {"key": "one"}}),
        ("/query", {"params": {"key": ""}}),
        ("/cookie", {"headers": {"cookie": "key=one"}}),
        ("/cookie", {"headers": {"cookie": "other=one"}}),
        ("/maybe-key", {}),
    ],
)
async def test_keys_are_found_where_they_are(path: str, options: dict[str, Any]) -> None:
    async with client_of(OURS) as ours, client_of(THEIRS, served=False) as theirs:
        await _same(ours, theirs, path, **options)


def test_the_document_describes_them_alike() -> None:
    ours, theirs = OURS.openapi(), THEIRS.openapi()
    assert ours["components"]["securitySchemes"] == theirs["components"]["securitySchemes"]
    for path in PATHS:
        operations = theirs["paths"][path]
        assert ours["paths"][path]["get"].get("security") == operations["get"].get("security"), path


async def test_a_password_of_other_letters_is_read_as_browsers_write_it() -> None:
    answer = await get(OURS, "/basic", headers={"authorization": basic("ada:größe".encode())})
    assert answer.json() == {"username": "ada", "password": "größe"}


async def test_an_override_takes_the_place_of_a_scheme() -> None:
    app = web.App()
    scheme = security.HTTPBearer()

    @app.get("/")
    async def handler(found: Annotated[Any, web.Depends(scheme)]) -> Any:
        return found

    assert (await get(app, "/")).status_code == 401
    app.dependency_overrides[scheme] = lambda: "somebody"
    assert (await get(app, "/")).json() == "somebody"


def test_a_realm_that_would_break_the_header_is_refused() -> None:
    with pytest.raises(ValueError, match="realm"):
        security.HTTPBasic(realm="a\r\nb")
    assert security.HTTPBasic(realm='a"b').challenge == 'Basic realm="a\\"b"'


@pytest.mark.parametrize(
    "form",
    [
        {"username": "ada", "password": "x", "scope": "read  write"},
        {"grant_type": "password", "username": "ada", "password": "x", "client_id": "me"},
        {"grant_type": "code", "username": "ada", "password": "x"},
        {"username": "ada"},
        {"client_secret": "s"},
    ],
)
async def test_a_form_asks_for_a_token(form: dict[str, str]) -> None:
    async with client_of(OURS) as ours, client_of(THEIRS, served=False) as theirs:
        for path in ("/token", "/strict"):
            found, expected = await ours.post(path, data=form), await theirs.post(path, data=form)
            assert found.status_code == expected.status_code, path
            assert found.json() == expected.json(), path


@pytest.mark.parametrize("path", ["/token", "/strict"])
def test_a_form_is_described_alike(path: str) -> None:
    ours, theirs = OURS.openapi(), THEIRS.openapi()
    assert ours["paths"][path] == theirs["paths"][path]
    for name, schema in theirs["components"]["schemas"].items():
        if name.startswith("Body_"):
            assert ours["components"]["schemas"][name] == schema
