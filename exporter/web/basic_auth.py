"""HTTP basic authentication with bcrypt hashes.

bcrypt is slow on purpose, so it runs in one thread, one check at a time. Requests with the same
credentials share a check, verified credentials are cached by a keyed digest, and the number of
pending checks is limited. An unknown user takes as long to reject as a known one.
"""

from __future__ import annotations

import asyncio
import base64
import re
import secrets
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import bcrypt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.server.messages import Headers

MAX_CACHED: Final = 100  # verified credentials
MAX_PENDING: Final = 20  # checks
_MAX_PASSWORD_SIZE: Final = 72  # bytes; bcrypt's own limit
_HASH: Final = re.compile(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}")
_MIN_COST, _MAX_COST = 4, 15  # the latter takes about two seconds
_COST_SLICE: Final = slice(4, 6)
_HEADER: Final = re.compile(rb"basic +([A-Za-z0-9+/]+={0,2}) *", re.IGNORECASE)


class BusyError(Exception):
    """Too many checks are pending."""


def validate_hash(text: str) -> str | None:
    """Why `text` is not a usable hash, without quoting it; None if it is one."""
    match = _HASH.fullmatch(text)
    if not match:
        return "expected a bcrypt hash, such as `htpasswd -nB` prints"
    if not _MIN_COST <= int(match[1]) <= _MAX_COST:
        return f"expected a bcrypt cost of {_MIN_COST} to {_MAX_COST}; a higher one is too slow"
    return None


def parse_credentials(headers: Headers) -> tuple[str, bytes] | None:
    """User name and password of the only `Authorization` header; None if invalid or missing."""
    values = [value for name, value in headers if name == b"authorization"]
    match = _HEADER.fullmatch(values[0]) if len(values) == 1 else None
    if not match:
        return None
    try:
        user, colon, password = base64.b64decode(match[1], validate=True).partition(b":")
        return (user.decode(), password) if colon else None
    except ValueError:
        return None


class BasicAuth:
    """Authenticates requests.

    Args:
        check: bcrypt's: whether a password matches a hash.
    """

    def __init__(self, check: Callable[[bytes, bytes], bool] = bcrypt.checkpw) -> None:
        self._check = check
        self._secret = secrets.token_bytes(32)
        self._verified: OrderedDict[bytes, None] = OrderedDict()
        self._thread = ThreadPoolExecutor(1, "bcrypt")
        self._pending: dict[bytes, asyncio.Task[bool]] = {}

    def close(self) -> None:
        """Stop; pending checks are cancelled."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def authenticate(self, users: Mapping[str, str], headers: Headers) -> bool:
        """Whether the headers have valid credentials.

        Args:
            users: bcrypt hashes by user name; at least one.
            headers: of the request.

        Raises:
            BusyError: too many checks are pending.
        """
        credentials = parse_credentials(headers)
        if credentials is None:
            return False
        user, password = credentials
        if len(password) > _MAX_PASSWORD_SIZE:
            return False
        hashed = users.get(user) or self._dummy_hash(users, user)
        digest = self._digest(user.encode(), hashed.encode(), password)
        if digest in self._verified:
            self._verified.move_to_end(digest)
            return user in users
        check = self._pending.get(digest) or self._start_check(digest, password, hashed)
        # Shielded: other requests may wait for the same check when this one is cancelled.
        return await asyncio.shield(check) and user in users

    def _start_check(self, digest: bytes, password: bytes, hashed: str) -> asyncio.Task[bool]:
        if len(self._pending) >= MAX_PENDING:
            raise BusyError
        check = asyncio.create_task(self._check_in_thread(digest, password, hashed))
        self._pending[digest] = check
        return check

    async def _check_in_thread(self, digest: bytes, password: bytes, hashed: str) -> bool:
        loop = asyncio.get_running_loop()
        try:
            is_valid = await loop.run_in_executor(
                self._thread, self._check, password, hashed.encode()
            )
        finally:
            # Not in a callback: since Python 3.14 the executor's future may be done at once, and
            # its callbacks would run after the requests that wait for it have gone on.
            del self._pending[digest]
        if is_valid:
            self._verified[digest] = None
            if len(self._verified) > MAX_CACHED:
                self._verified.popitem(last=False)
        return is_valid

    def _dummy_hash(self, users: Mapping[str, str], user: str) -> str:
        """A hash that no password matches; its cost is that of a real user, always the same."""
        costs = [hashed[_COST_SLICE] for hashed in users.values()]
        index = int.from_bytes(self._digest(user.encode())) % len(costs)
        return f"$2b${costs[index]}${'.' * 53}"

    def _digest(self, *parts: bytes) -> bytes:
        """A keyed digest; lengths are included, so that parts cannot be shifted."""
        digest = blake2b(key=self._secret)
        for part in parts:
            digest.update(len(part).to_bytes(8))
            digest.update(part)
        return digest.digest()
