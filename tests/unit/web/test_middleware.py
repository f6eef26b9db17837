"""The guard: who is let through, how often, and at what cost."""

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
from exporter.web.basic_auth import BusyError, Login, Passwords, login_of
from exporter.web.middleware import Guard
from exporter.web.web_config.models import Rate, WebConfig

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


class Counting:
    """bcrypt, with a list of what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, bytes]] = []

    def __call__(self, password: bytes, hashed: bytes) -> bool:
        self.asked.append((password, hashed))
        return bcrypt.checkpw(password, hashed)


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(main)


def fits(headers: Headers, users: Mapping[str, str] = USERS) -> bool:
    passwords = Passwords()
    try:
        return asyncio.run(passwords.fit(users, headers))
    finally:
        passwords.close()


@pytest.mark.parametrize("login", ["alice:secret", "bob:pä:ss", f"long:{LONG}"])
def test_a_user_with_the_right_password_is_let_in(login: str) -> None:
    assert fits(basic(login))


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
def test_anything_else_is_not(headers: Headers) -> None:
    assert not fits(headers)


def test_the_scheme_may_be_written_in_any_case() -> None:
    ((_, value),) = basic("alice:secret")
    assert login_of([(b"Authorization", b"bASIC  " + value[6:])]) == Login("alice", b"secret")


@given(st.binary())
def test_no_authorization_makes_an_error(value: bytes) -> None:
    login_of([(b"authorization", value)])
    login_of([(b"authorization", b"Basic " + value)])


def test_a_password_that_was_right_is_checked_once_and_a_wrong_one_each_time() -> None:
    async def main() -> None:
        check = Counting()
        passwords = Passwords(check)
        for login in ("alice:secret", "alice:wrong", "alice:secret", "alice:wrong"):
            await passwords.fit(USERS, basic(login))
        passwords.close()
        assert [password for password, _ in check.asked] == [b"secret", b"wrong", b"wrong"]

    run(main())


def test_a_remembered_password_counts_for_its_own_user_and_hash_alone() -> None:
    async def main() -> None:
        passwords = Passwords()
        users = {"a": USERS["alice"], "as": USERS["alice"]}
        assert await passwords.fit(users, basic("as:secret"))
        assert not await passwords.fit(users, basic("a:ssecret"))
        changed = {"as": bcrypt.hashpw(b"other", bcrypt.gensalt(4)).decode()}
        assert not await passwords.fit(changed, basic("as:secret"))
        assert not await passwords.fit({"b": USERS["bob"]}, basic("as:secret"))
        passwords.close()

    run(main())


def test_what_is_remembered_is_bounded_and_the_longest_unused_goes_first() -> None:
    async def main() -> None:
        check = Counting()
        passwords = Passwords(check)
        users = {str(number): USERS["alice"] for number in range(101)}
        for number in range(100):
            assert await passwords.fit(users, basic(f"{number}:secret"))
        for user in ("0", "100", "0"):
            assert await passwords.fit(users, basic(f"{user}:secret"))
        assert len(check.asked) == 101
        assert await passwords.fit(users, basic("1:secret"))
        assert len(check.asked) == 102
        passwords.close()

    run(main())


def test_an_unknown_user_costs_what_a_known_one_does_and_always_the_same() -> None:
    async def main() -> None:
        check = Counting()
        passwords = Passwords(check)
        for number in range(100):
            for _ in range(2):
                assert not await passwords.fit(USERS, basic(f"nobody{number}:x"))
        costs = [hashed[4:6] for _, hashed in check.asked]
        assert costs[::2] == costs[1::2]
        assert set(costs) == {b"04", b"05"}
        passwords.close()

    run(main())


def test_one_password_is_checked_at_a_time_and_few_may_wait() -> None:
    async def main() -> None:
        release, running = threading.Event(), []

        def check(password: bytes, _: bytes) -> bool:
            running.append(password)
            release.wait(5)
            return True

        passwords = Passwords(check)
        users = {"alice": USERS["alice"]}
        waiting = [
            asyncio.create_task(passwords.fit(users, basic(f"alice:{number}")))
            for number in range(20)
        ]
        await asyncio.sleep(0.02)
        assert len(running) == 1
        with pytest.raises(BusyError):
            await passwords.fit(users, basic("alice:late"))
        release.set()
        assert all(await asyncio.gather(*waiting))
        assert await passwords.fit(users, basic("alice:later"))
        passwords.close()

    run(main())


def test_those_who_come_with_the_same_login_share_one_check() -> None:
    async def main() -> None:
        check = Counting()
        passwords = Passwords(check)
        logins = [passwords.fit(USERS, basic("alice:secret")) for _ in range(1000)]
        impatient = asyncio.create_task(passwords.fit(USERS, basic("alice:secret")))
        await asyncio.sleep(0)
        impatient.cancel()
        assert all(await asyncio.gather(*logins))
        assert impatient.cancelled()
        assert len(check.asked) == 1
        passwords.close()

    run(main())


def answers(guard: Guard, count: int, headers: Headers | None = None) -> list[int]:
    async def main() -> list[int]:
        request = Request("GET", "/", headers or [])
        return [(await guard.answer(request)).status for _ in range(count)]

    return asyncio.run(main())


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_is_let_through_and_then_a_request_each_interval() -> None:
    clock = Clock()
    guard = Guard(echo, lambda: WebConfig(rate=Rate(0.5, 3)), Passwords(), clock)
    assert answers(guard, 5) == [200, 200, 200, 429, 429]
    clock.now = 0.4
    assert answers(guard, 1) == [429]
    clock.now = 1.1
    assert answers(guard, 3) == [200, 200, 429]
    clock.now = 1000
    assert answers(guard, 4) == [200, 200, 200, 429]


def test_another_rate_begins_anew_and_the_same_one_goes_on() -> None:
    rates = [Rate(10, 1), Rate(10, 1), Rate(10, 2), Rate(10, 2), Rate(10, 2)]
    turns = iter(rates)
    guard = Guard(echo, lambda: WebConfig(rate=next(turns)), Passwords(), Clock())
    assert answers(guard, 5) == [200, 429, 200, 200, 429]


def test_the_rate_limit_comes_before_the_password() -> None:
    guard = Guard(echo, lambda: WebConfig(users=USERS, rate=Rate(1, 1)), Passwords(), Clock())
    assert answers(guard, 2) == [401, 429]


def test_too_many_logins_at_once_are_turned_away() -> None:
    class Crowded(Passwords):
        async def fit(self, *_: Any) -> bool:  # noqa: ANN401  whoever asks
            raise BusyError

    guard = Guard(echo, lambda: WebConfig(users=USERS), Crowded(), Clock())
    assert answers(guard, 1, basic("alice:secret")) == [503]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "NONSENSE"])
@pytest.mark.parametrize("path", ["/", "/-/healthy", "/-/ready", "/-/reload", "/metrics", "/no"])
def test_no_path_is_answered_without_the_password(method: str, path: str) -> None:
    async def main() -> Response:
        guard = Guard(echo, lambda: WebConfig(users=USERS), Passwords())
        return await guard.answer(Request(method, path, []))

    response = asyncio.run(main())
    assert response.status == 401
    assert dict(response.headers)[b"www-authenticate"].startswith(b"Basic ")


def test_the_headers_of_the_web_configuration_are_in_every_response() -> None:
    web = WebConfig(headers=((b"x-frame-options", b"deny"),), users=USERS)
    guard = Guard(echo, lambda: web, Passwords())

    async def main() -> None:
        for headers in ([], basic("alice:secret")):
            response = await guard.answer(Request("GET", "/", headers))
            assert response.headers[-1] == (b"x-frame-options", b"deny")

    run(main())
