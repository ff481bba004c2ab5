"""Passwords: what may be one, and how it is kept and tried.

Kept as Argon2id with the parameters of RFC 9106's second recommendation (64 MiB, 3 passes), which
are the defaults of `argon2-cffi`. One try takes tens of milliseconds and that much memory, so few
are worked on at a time, in threads of their own.
"""

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from vaultcrm.controls.auth import new_token
from vaultcrm.domain.errors import FieldProblem, InvalidInput

T = TypeVar("T")

SHORTEST = 12
LONGEST = 200
"""Characters. There is no rule about kinds of characters: length is what makes guessing hard."""

_AT_ONCE = 2

_HASHER = PasswordHasher()
_THREADS = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="passwords")


@dataclass(frozen=True, slots=True)
class Tried:
    """How a try went. `newer_hash` is there when the kept hash was made with older parameters."""

    is_right: bool
    newer_hash: str | None = None


def check_new_password(password: str, email: str) -> None:
    """Raise InvalidInput, field `password`, for one that may not be set."""
    length = len(_normal(password))
    if length < SHORTEST:
        told = f"at least {SHORTEST} characters; this one has {length}"
    elif length > LONGEST:
        told = f"at most {LONGEST} characters; this one has {length}"
    elif password.strip().casefold() == email.casefold():
        told = "not the e-mail address, which is the first thing that is tried"
    else:
        return
    raise InvalidInput(FieldProblem("password", told))


async def hash_password(password: str) -> str:
    """The text to keep, with its salt and parameters in it."""
    return await _in_thread(lambda: _HASHER.hash(_bytes(password)))


async def try_password(kept: str | None, password: str) -> Tried:
    """Whether the password is the kept one.

    With nothing kept the answer is no, after as much work, so that the time says nothing about
    whether there is an account.
    """

    def work() -> Tried:
        stand_in = _hash_of_nobody()
        if len(password) > LONGEST:
            return Tried(False)
        try:
            _HASHER.verify(kept or stand_in, _bytes(password))
        except (VerificationError, InvalidHashError):
            return Tried(False)
        if kept is None:
            return Tried(False)
        outdated = _HASHER.check_needs_rehash(kept)
        return Tried(True, _HASHER.hash(_bytes(password)) if outdated else None)

    return await _in_thread(work)


@cache
def _hash_of_nobody() -> str:
    return _HASHER.hash(new_token())


async def _in_thread(work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(_THREADS, work)


def _normal(password: str) -> str:
    """The same characters, however this keyboard composes them."""
    return unicodedata.normalize("NFKC", password)


def _bytes(password: str) -> bytes:
    return _normal(password).encode("utf-8", "replace")
