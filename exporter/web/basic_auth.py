"""Passwords: whether a request carries one that fits its user's bcrypt hash.

bcrypt is slow on purpose. It runs in one thread, one password at a time; those who come with the
same login share one check, a password that was right is remembered by a digest, and few checks may
wait. A user that does not exist costs as much as one that does.
"""

from __future__ import annotations

import asyncio
import base64
import re
import secrets
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

import bcrypt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.server.messages import Headers

MOST_REMEMBERED: Final = 100
MOST_WAITING: Final = 20
_LONGEST: Final = 72  # bytes; bcrypt takes no more
_HASH: Final = re.compile(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}")
_CHEAPEST, _DEAREST = 4, 15  # costs; the latter is about two seconds
_COST_AT: Final = slice(4, 6)
_BASIC: Final = re.compile(rb"basic +([A-Za-z0-9+/]+={0,2}) *", re.IGNORECASE)


class BusyError(Exception):
    """Too many passwords are waiting to be checked."""


class Login(NamedTuple):
    """A user's name and password, as they were sent."""

    user: str
    password: bytes


def problem_of_hash(text: str) -> str | None:
    """What is wrong with a user's hash, without quoting it."""
    match = _HASH.fullmatch(text)
    if not match:
        return "must be a bcrypt hash, such as `htpasswd -nB` makes"
    if not _CHEAPEST <= int(match[1]) <= _DEAREST:
        return f"must have a cost of {_CHEAPEST} to {_DEAREST}, or a login takes too long"
    return None


def login_of(headers: Headers) -> Login | None:
    """The login of a request's one `Authorization` header."""
    values = [value for name, value in headers if name.lower() == b"authorization"]
    match = _BASIC.fullmatch(values[0]) if len(values) == 1 else None
    if not match:
        return None
    try:
        user, colon, password = base64.b64decode(match[1], validate=True).partition(b":")
        return Login(user.decode(), password) if colon else None
    except ValueError:
        return None


class Passwords:
    """Checks logins.

    Args:
        check: bcrypt's: whether a password fits a hash.
    """

    def __init__(self, check: Callable[[bytes, bytes], bool] = bcrypt.checkpw) -> None:
        self._check = check
        self._secret = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._thread = ThreadPoolExecutor(1, "bcrypt")
        self._under_way: dict[bytes, asyncio.Task[bool]] = {}

    def close(self) -> None:
        """Check no more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def fit(self, users: Mapping[str, str], headers: Headers) -> bool:
        """Whether a request carries a login of one of these users, given with their hashes.

        Raises:
            BusyError: it would have to wait too long.
        """
        login = login_of(headers)
        if login is None or len(login.password) > _LONGEST:
            return False
        hashed = users.get(login.user) or self._stand_in(users, login.user)
        digest = self._digest(login.user.encode(), hashed.encode(), login.password)
        if digest in self._right:
            self._right.move_to_end(digest)
            return True
        checking = self._under_way.get(digest) or self._begin(digest, login.password, hashed)
        # One client's end does not end the check of others.
        is_right = await asyncio.shield(checking) and login.user in users
        if is_right:
            self._remember(digest)
        return is_right

    def _begin(self, digest: bytes, password: bytes, hashed: str) -> asyncio.Task[bool]:
        if len(self._under_way) >= MOST_WAITING:
            raise BusyError
        checking = asyncio.create_task(self._check_in_thread(digest, password, hashed))
        self._under_way[digest] = checking
        return checking

    async def _check_in_thread(self, digest: bytes, password: bytes, hashed: str) -> bool:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, self._check, password, hashed.encode())
        finally:
            # Here, and not in a callback: from Python 3.14 on, the executor's future may be done
            # at once, and its callbacks would run after those who wait for it have gone on.
            del self._under_way[digest]

    def _remember(self, digest: bytes) -> None:
        self._right[digest] = None
        if len(self._right) > MOST_REMEMBERED:
            self._right.popitem(last=False)

    def _stand_in(self, users: Mapping[str, str], user: str) -> str:
        """A hash that no password fits, of a cost that a user of this name might have."""
        costs = [hashed[_COST_AT] for hashed in users.values()]
        drawn = int.from_bytes(self._digest(user.encode())) % len(costs)
        return f"$2b${costs[drawn]}${'.' * 53}"

    def _digest(self, *parts: bytes) -> bytes:
        """Tells parts apart, however they are cut, and says nothing about them."""
        digest = blake2b(key=self._secret)
        for part in parts:
            digest.update(len(part).to_bytes(8))
            digest.update(part)
        return digest.digest()
