"""The middleware: authentication, rate limit and headers."""

from __future__ import annotations

import asyncio
import base64
import threading
from typing import TYPE_CHECKING, Any

import bcrypt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_http_client import echo

from exporter.server.messages import Request, Response
from exporter.web.basic_auth import BasicAuth, BusyError, parse_credentials
from exporter.web.middleware import Middleware
from exporter.web.web_config.models import RateLimit, WebConfig

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from exporter.server.messages import Headers

LONG = "x" * 72
USERS = {
    "alice": bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode(),
    "bob": bcrypt.hashpw("pä:ss".encode(), bcrypt.gensalt(5)).decode(),
    "long": bcrypt.hashpw(LONG.encode(), bcrypt.gensalt(4)).decode(),
}


def basic(login: str | bytes) -> Headers:
    raw = login.encode() if isinstance(login, str) else login
    return [(b"authorization", b"Basic " + base64.b64encode(raw))]


class RecordedChecks:
    """bcrypt, with a list of its calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[bytes, bytes]] = []

    def __call__(self, password: bytes, hashed: bytes) -> bool:
        self.calls.append((password, hashed))
        return bcrypt.checkpw(password, hashed)


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(main)


def is_authenticated(headers: Headers, users: Mapping[str, str] = USERS) -> bool:
    basic_auth = BasicAuth()
    try:
        return asyncio.run(basic_auth.authenticate(users, headers))
    finally:
        basic_auth.close()


@pytest.mark.parametrize("login", ["alice:secret", "bob:pä:ss", f"long:{LONG}"])
def test_a_user_with_the_right_password_is_authenticated(login: str) -> None:
    assert is_authenticated(basic(login))


@pytest.mark.parametrize(
    "headers",
    [
        [],
        basic("alice:Secret"),
        basic("alice:"),
        basic("alice"),
        basic("Alice:secret"),
        basic("alice :secret"),
        basic("bob:secret"),
        basic("carol:secret"),
        basic(":"),
        basic(""),
        basic(f"long:{LONG}x"),
        basic(b"alice:secret\0"),
        basic(b"\xff:secret"),
        basic("alice:secret") * 2,
        [(b"authorization", b"Basic")],
        [(b"authorization", b"Basic ====")],
        [(b"authorization", b"Basic a")],
        [(b"authorization", b"Bearer " + basic("alice:secret")[0][1][6:])],
        [(b"authorization", basic("alice:secret")[0][1] + b", Basic x")],
        [(b"x-authorization", basic("alice:secret")[0][1])],
    ],
)
def test_other_credentials_are_rejected(headers: Headers) -> None:
    assert not is_authenticated(headers)


def test_the_authentication_scheme_is_case_insensitive() -> None:
    ((_, value),) = basic("alice:secret")
    assert parse_credentials([(b"authorization", b"bASIC  " + value[6:])]) == ("alice", b"secret")


@given(st.binary())
def test_any_authorization_header_is_parsed_without_an_error(value: bytes) -> None:
    parse_credentials([(b"authorization", value)])
    parse_credentials([(b"authorization", b"Basic " + value)])


def test_valid_credentials_are_cached_and_invalid_ones_are_not() -> None:
    async def main() -> None:
        check = RecordedChecks()
        basic_auth = BasicAuth(check)
        for login in ("alice:secret", "alice:wrong", "alice:secret", "alice:wrong"):
            await basic_auth.authenticate(USERS, basic(login))
        basic_auth.close()
        assert [password for password, _ in check.calls] == [b"secret", b"wrong", b"wrong"]

    run(main())


def test_cached_credentials_are_valid_only_for_their_user_and_hash() -> None:
    async def main() -> None:
        basic_auth = BasicAuth()
        users = {"a": USERS["alice"], "as": USERS["alice"]}
        assert await basic_auth.authenticate(users, basic("as:secret"))
        assert not await basic_auth.authenticate(users, basic("a:ssecret"))
        changed = {"as": bcrypt.hashpw(b"other", bcrypt.gensalt(4)).decode()}
        assert not await basic_auth.authenticate(changed, basic("as:secret"))
        assert not await basic_auth.authenticate({"b": USERS["bob"]}, basic("as:secret"))
        basic_auth.close()

    run(main())


def test_the_cache_of_credentials_evicts_the_least_recently_used() -> None:
    async def main() -> None:
        check = RecordedChecks()
        basic_auth = BasicAuth(check)
        users = {str(number): USERS["alice"] for number in range(101)}
        for number in range(100):
            assert await basic_auth.authenticate(users, basic(f"{number}:secret"))
        for user in ("0", "100", "0"):
            assert await basic_auth.authenticate(users, basic(f"{user}:secret"))
        assert len(check.calls) == 101
        assert await basic_auth.authenticate(users, basic("1:secret"))
        assert len(check.calls) == 102
        basic_auth.close()

    run(main())


def test_an_unknown_user_is_checked_at_the_cost_of_a_known_one_and_always_the_same() -> None:
    async def main() -> None:
        check = RecordedChecks()
        basic_auth = BasicAuth(check)
        for number in range(100):
            for _ in range(2):
                assert not await basic_auth.authenticate(USERS, basic(f"nobody{number}:x"))
        costs = [hashed[4:6] for _, hashed in check.calls]
        assert costs[::2] == costs[1::2]
        assert set(costs) == {b"04", b"05"}
        basic_auth.close()

    run(main())


def test_passwords_are_checked_one_at_a_time_and_pending_checks_are_limited() -> None:
    async def main() -> None:
        release, running = threading.Event(), []

        def check(password: bytes, _: bytes) -> bool:
            running.append(password)
            release.wait(5)
            return True

        basic_auth = BasicAuth(check)
        users = {"alice": USERS["alice"]}
        waiting = [
            asyncio.create_task(basic_auth.authenticate(users, basic(f"alice:{number}")))
            for number in range(20)
        ]
        await asyncio.sleep(0.02)
        assert len(running) == 1
        with pytest.raises(BusyError):
            await basic_auth.authenticate(users, basic("alice:late"))
        release.set()
        assert all(await asyncio.gather(*waiting))
        assert await basic_auth.authenticate(users, basic("alice:later"))
        basic_auth.close()

    run(main())


def test_concurrent_requests_with_the_same_credentials_share_one_check() -> None:
    async def main() -> None:
        check = RecordedChecks()
        basic_auth = BasicAuth(check)
        logins = [basic_auth.authenticate(USERS, basic("alice:secret")) for _ in range(1000)]
        cancelled = asyncio.create_task(basic_auth.authenticate(USERS, basic("alice:secret")))
        await asyncio.sleep(0)
        cancelled.cancel()
        assert all(await asyncio.gather(*logins))
        assert cancelled.cancelled()
        assert len(check.calls) == 1
        basic_auth.close()

    run(main())


def statuses(middleware: Middleware, count: int, headers: Headers | None = None) -> list[int]:
    async def main() -> list[int]:
        request = Request("GET", "/", headers or [])
        return [(await middleware.handle(request)).status for _ in range(count)]

    return asyncio.run(main())


class Clock:
    """Monotonic seconds."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_rate_limit_accepts_a_burst_and_then_a_request_per_interval() -> None:
    clock = Clock()
    middleware = Middleware(
        echo, lambda: WebConfig(rate_limit=RateLimit(0.5, 3)), BasicAuth(), clock=clock
    )
    assert statuses(middleware, 5) == [200, 200, 200, 429, 429]
    clock.now = 0.4
    assert statuses(middleware, 1) == [429]
    clock.now = 1.1
    assert statuses(middleware, 3) == [200, 200, 429]
    clock.now = 1000
    assert statuses(middleware, 4) == [200, 200, 200, 429]


def test_a_rate_limit_without_a_burst_rejects_every_request() -> None:
    clock = Clock()
    limit = RateLimit(1, 0)
    middleware = Middleware(echo, lambda: WebConfig(rate_limit=limit), BasicAuth(), clock=clock)
    assert statuses(middleware, 1) == [429]
    clock.now = 1000
    assert statuses(middleware, 1) == [429]


def test_a_changed_rate_limit_starts_with_a_full_token_bucket() -> None:
    rates = [
        RateLimit(10, 1),
        RateLimit(10, 1),
        RateLimit(10, 2),
        RateLimit(10, 2),
        RateLimit(10, 2),
    ]
    configs = iter([WebConfig(rate_limit=each) for each in rates])
    middleware = Middleware(echo, lambda: next(configs), BasicAuth(), clock=Clock())
    assert statuses(middleware, 5) == [200, 429, 200, 200, 429]


def test_the_rate_limit_applies_before_authentication() -> None:
    middleware = Middleware(
        echo, lambda: WebConfig(users=USERS, rate_limit=RateLimit(1, 1)), BasicAuth(), clock=Clock()
    )
    assert statuses(middleware, 2) == [401, 429]


def test_too_many_pending_checks_are_answered_with_503() -> None:
    class Busy(BasicAuth):
        async def authenticate(self, *_: Any) -> bool:  # noqa: ANN401  any arguments
            raise BusyError

    middleware = Middleware(echo, lambda: WebConfig(users=USERS), Busy(), clock=Clock())
    assert statuses(middleware, 1, basic("alice:secret")) == [503]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "NONSENSE"])
@pytest.mark.parametrize("path", ["/", "/-/healthy", "/-/ready", "/-/reload", "/metrics", "/no"])
def test_every_path_requires_authentication(method: str, path: str) -> None:
    async def main() -> Response:
        middleware = Middleware(echo, lambda: WebConfig(users=USERS), BasicAuth())
        return await middleware.handle(Request(method, path, []))

    response = asyncio.run(main())
    assert response.status == 401
    assert dict(response.headers)[b"www-authenticate"].startswith(b"Basic ")


def test_headers_of_the_web_configuration_are_added_to_every_response() -> None:
    web = WebConfig(headers=((b"x-frame-options", b"deny"),), users=USERS)
    middleware = Middleware(echo, lambda: web, BasicAuth())

    async def main() -> None:
        for headers in ([], basic("alice:secret")):
            response = await middleware.handle(Request("GET", "/", headers))
            assert response.headers[-1] == (b"x-frame-options", b"deny")

    run(main())
