"""Who a request comes from: basic, bearer, digest, netrc, the URL, and flows of one's own."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest
from scripted_server import ScriptedServer, answering, response, scripted

import hoopsnake

BASIC = "Basic dXNlcjpwYXNz"


def authorization(request: bytes) -> str | None:
    found = re.search(rb"(?i)^authorization: (.*?)\r$", request, re.MULTILINE)
    return found[1].decode() if found else None


class Twice(hoopsnake.Auth):
    """Asks for a token first, and shows it then."""

    requires_response_body = True
    requires_request_body = True

    def auth_flow(
        self, request: hoopsnake.Request
    ) -> Generator[hoopsnake.Request, hoopsnake.Response, None]:
        assert request.content == b"piecepiece"
        answer = yield hoopsnake.Request("GET", request.url.join("/token"))
        request.headers["x-token"] = answer.text
        yield request


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        (("user", "pass"), BASIC),
        ((b"user", b"pass"), BASIC),
        (hoopsnake.BasicAuth("user", "pass"), BASIC),
        (("üser", "pass"), "Basic w7xzZXI6cGFzcw=="),
        ("token", "Bearer token"),
        (hoopsnake.BearerAuth("token"), "Bearer token"),
    ],
)
async def test_it_is_told_by_a_client_or_a_request(
    auth: hoopsnake.Auth | tuple[str, str] | str, expected: str
) -> None:
    async with scripted(answering(response())) as server:
        async with hoopsnake.Client(auth=auth) as client:
            await client.get(server.url)
            await client.get(server.url, auth=None)
        async with hoopsnake.Client() as client:
            await client.get(server.url, auth=auth)
            async with client.stream("GET", server.url, auth=auth) as got:
                assert await got.aread() == b"hello"
    assert [authorization(request) for request in server.requests] == [
        expected,
        None,
        expected,
        expected,
    ]


async def test_what_a_url_has_before_its_at_is_told_unless_something_else_is() -> None:
    async with scripted(answering(response())) as server, hoopsnake.Client() as client:
        url = server.url.replace("//", "//user:p%40ss@")
        await client.get(url)
        await client.get(url, auth=("user", "pass"))
        await client.get(url, headers={"authorization": "by hand"})
    assert [authorization(request) for request in server.requests] == [
        "Basic dXNlcjpwQHNz",
        BASIC,
        "by hand",
    ]
    assert b"p%40ss" not in b"".join(server.requests)


async def test_a_netrc_has_a_login_for_each_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "logins"
    path.write_text(
        "machine example.com login no password one\nmachine 127.0.0.1 login user\npassword pass\n"
    )
    async with scripted(answering(response())) as server:
        async with hoopsnake.Client(auth=hoopsnake.NetRCAuth(path)) as client:
            await client.get(server.url)
        monkeypatch.setenv("NETRC", str(path))
        async with hoopsnake.Client() as client:
            await client.get(server.url)
            await client.get(server.url.replace("127.0.0.1", "localhost"))
        async with hoopsnake.Client(trust_env=False) as client:
            await client.get(server.url)
    assert [authorization(request) for request in server.requests] == [BASIC, BASIC, None, None]
    path.write_text("machine a login b pasword secret")
    with pytest.raises(ValueError, match="line 1 of the netrc") as caught:
        hoopsnake.NetRCAuth(path)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("content", [b"machine a login b pasword secret", b"\xff\xfe"])
async def test_a_netrc_that_cannot_be_read_fails_what_would_use_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    path = tmp_path / "logins"
    path.write_bytes(content)
    monkeypatch.setenv("NETRC", str(path))
    async with scripted(answering(response())) as server, hoopsnake.Client() as client:
        with pytest.raises(hoopsnake.LocalProtocolError, match="that NETRC names") as caught:
            await client.get(server.url)
        assert str(path) in str(caught.value)
        assert "secret" not in str(caught.value)
        await client.get(server.url, auth=("user", "pass"))
    assert [authorization(request) for request in server.requests] == [BASIC]
    mocked = hoopsnake.MockTransport(lambda _: hoopsnake.Response(200))
    async with hoopsnake.Client(transport=mocked) as client:
        assert (await client.get("http://one.example/")).status_code == 200


class Digest:
    """A server that asks for Digest authentication, and looks at the answers."""

    def __init__(self, algorithm: str = "SHA-256", uses: int = 100, stale: bool = True) -> None:
        self.algorithm, self.uses, self.stale = algorithm, uses, stale
        self.nonce = 0
        self.counts: list[str] = []
        self.bodies: list[bytes] = []

    def hash(self, text: str) -> str:
        return hashlib.new(self.algorithm.replace("-", ""), text.encode()).hexdigest()

    def is_right(self, method: str, target: str, value: str) -> bool:
        got = {
            name: quoted or bare
            for name, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]*))', value)
        }
        if got["nonce"] != f"n{self.nonce}" or int(got["nc"], 16) > self.uses:
            return False
        assert got["uri"] == target
        self.counts.append(got["nc"])
        secret = self.hash("user:the realm:pass")
        proof = self.hash(f"{method}:{target}")
        middle = f"{got['nonce']}:{got['nc']}:{got['cnonce']}:auth"
        return got["response"] == self.hash(f"{secret}:{middle}:{proof}")

    async def __call__(
        self, server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            head = await server.head(reader)
            self.bodies.append(await server.body(head, reader))
            method, target, _ = head.decode().split(" ", 2)
            value = authorization(head)
            if value is not None and self.is_right(method, target, value):
                writer.write(response())
                continue
            self.nonce += 1
            words = f'Digest realm="the realm", nonce="n{self.nonce}", qop="auth,auth-int"'
            words += f", algorithm={self.algorithm}"
            if self.stale and value is not None:
                words += ", stale=true"
            old = 'Basic realm="x", Digest realm="the realm", nonce="old", algorithm=MD5'
            fields = (f"www-authenticate: {words}", f"www-authenticate: {old}")
            writer.write(response(b"who?", *fields, status="401 Unauthorized"))


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
async def test_digest_answers_a_challenge_and_counts_the_next_requests(algorithm: str) -> None:
    asking = Digest(algorithm)
    async with scripted(asking) as server:
        auth = hoopsnake.DigestAuth("user", "pass")
        async with hoopsnake.Client(auth=auth) as client:
            got = await client.post(server.url + "a?b=1", content=b"body")
            assert (got.status_code, [each.status_code for each in got.history]) == (200, [401])
            assert asking.bodies == [b"body", b"body"]
            assert (await client.get(server.url)).history == []
            async with client.stream("GET", server.url) as streamed:
                assert await streamed.aread() == b"hello"
            assert (server.connections, asking.counts) == (1, ["00000001", "00000002", "00000003"])


async def test_digest_with_a_nonce_that_has_become_too_old_goes_on_with_the_next() -> None:
    asking = Digest(uses=1)
    async with scripted(asking) as server:
        async with hoopsnake.Client(auth=hoopsnake.DigestAuth("user", "pass")) as client:
            for _ in range(3):
                assert (await client.get(server.url)).status_code == 200
    assert asking.counts == ["00000001"] * 3
    assert len(server.requests) == 6


@pytest.mark.parametrize("stale", [False, True])
async def test_digest_with_a_wrong_password_gives_up(stale: bool) -> None:
    async with scripted(Digest(stale=stale)) as server:
        async with hoopsnake.Client(auth=hoopsnake.DigestAuth("user", "wrong")) as client:
            assert (await client.get(server.url)).status_code == 401
    # A server that always calls the nonce stale has one try more.
    assert len(server.requests) == 2 + stale


@pytest.mark.parametrize(
    "field",
    [
        "Basic realm=x",
        "Digest",
        'Digest realm="x"',
        'Digest realm="x", nonce="y", algorithm=ROT13',
        'Digest realm="x", nonce="y", qop=auth-int',
        'Digest realm="x, nonce="y"',
        "=,=,=",
    ],
)
async def test_digest_leaves_a_challenge_that_is_none_to_the_program(field: str) -> None:
    answer = response(b"", f"www-authenticate: {field}", status="401 Unauthorized")
    async with scripted(answering(answer)) as server, hoopsnake.Client() as client:
        got = await client.get(server.url, auth=hoopsnake.DigestAuth("user", "pass"))
        assert got.status_code == 401
    assert len(server.requests) == 1


async def test_a_body_that_is_made_once_is_not_sent_to_answer_a_challenge() -> None:
    async with scripted(Digest()) as server, hoopsnake.Client() as client:
        with pytest.raises(hoopsnake.StreamConsumed, match="authentication asks for the body"):
            await client.post(
                server.url, content=pieces(), auth=hoopsnake.DigestAuth("user", "pass")
            )
        assert len(server.requests) == 1


async def pieces() -> AsyncIterator[bytes]:
    yield b"piece"
    yield b"piece"


async def test_a_flow_of_ones_own_sends_what_it_yields() -> None:
    async with scripted(answering(response(b"secret"), response())) as server:
        async with hoopsnake.Client() as client:
            got = await client.post(server.url, content=pieces(), auth=Twice())
            assert (got.content, len(got.history)) == (b"hello", 1)
    assert server.requests[0].startswith(b"GET /token ")
    assert b"x-token: secret" in server.requests[1]


async def test_a_function_may_change_the_request() -> None:
    def sign(request: hoopsnake.Request) -> hoopsnake.Request:
        request.headers["x-signed"] = request.method
        return request

    async with scripted(answering(response())) as server, hoopsnake.Client(auth=sign) as client:
        await client.get(server.url)
    assert b"x-signed: GET" in server.requests[0]


async def test_a_flow_that_fails_gives_the_connection_back() -> None:
    class Broken(hoopsnake.Auth):
        def auth_flow(
            self, request: hoopsnake.Request
        ) -> Generator[hoopsnake.Request, hoopsnake.Response, None]:
            yield request
            raise LookupError("no second factor")

    async with scripted(answering(response())) as server, hoopsnake.Client() as client:
        with pytest.raises(LookupError, match="second factor"):
            async with client.stream("GET", server.url, auth=Broken()):
                raise AssertionError("not reached")
        assert client.stats().open == 0


async def test_no_secret_is_shown_in_reprs_and_errors() -> None:
    secret = "hush"
    for auth in (
        hoopsnake.BasicAuth("user", secret),
        hoopsnake.BearerAuth(secret),
        hoopsnake.DigestAuth("user", secret),
    ):
        assert secret not in repr(auth)
    request = hoopsnake.Request(
        "GET", f"http://user:{secret}@127.0.0.1:1/", {"authorization": secret}
    )
    shown = [repr(request), repr(request.url), repr(request.headers)]
    async with hoopsnake.Client() as client:
        for url in (
            f"http://user:{secret}@127.0.0.1:1/",
            f"ftp://user:{secret}@127.0.0.1/",
            f"http://user:{secret}@127.0.0.1:99999/",
        ):
            with pytest.raises((hoopsnake.HTTPError, hoopsnake.InvalidURL)) as caught:
                await client.get(url)
            shown.append(str(caught.value))
        moved = response(b"", f"location: http://user:{secret}@example.com/", status="302 Found")
        async with scripted(answering(moved)) as server:
            with pytest.raises(
                hoopsnake.HTTPStatusError, match=r"to http://example\.com/"
            ) as status:
                (await client.get(server.url)).raise_for_status()
            shown.append(str(status.value))
    assert not [text for text in shown if secret in text]


@pytest.mark.parametrize("auth", [("us:er", "pass"), ("user", "pa\nss"), 5])
def test_what_cannot_be_told_is_refused(auth: object) -> None:
    with pytest.raises((ValueError, TypeError), match="auth"):
        hoopsnake.Client(auth=auth)  # type: ignore[arg-type]
