"""What may be a password, and that only the right one is taken."""

import unicodedata

import pytest
from argon2 import PasswordHasher

from vaultcrm.controls.auth.passwords import check_new_password, hash_password, try_password
from vaultcrm.domain.errors import InvalidInput

EMAIL = "jo.the.chatter@example.com"
WORDS = "four words will do"


@pytest.mark.parametrize("password", ["x" * 12, "x" * 200, WORDS, "пароль из слов", "éèêàâôûïüçæœ"])
def test_length_is_all_that_is_asked_of_a_password(password: str) -> None:
    check_new_password(password, EMAIL)


@pytest.mark.parametrize(
    ("password", "told"),
    [
        ("", "at least 12 characters; this one has 0"),
        ("x" * 11, "at least 12 characters; this one has 11"),
        ("x" * 201, "at most 200 characters; this one has 201"),
        (EMAIL, "not the e-mail address"),
        (f" {EMAIL.upper()} ", "not the e-mail address"),
    ],
)
def test_a_password_that_may_not_be_set_is_refused_with_the_reason(
    password: str, told: str
) -> None:
    with pytest.raises(InvalidInput, match=told) as refused:
        check_new_password(password, EMAIL)
    assert [problem.field for problem in refused.value.problems] == ["password"]


@pytest.mark.anyio
async def test_a_kept_password_is_known_again_and_no_other_is_taken_for_it() -> None:
    kept = await hash_password(WORDS)

    assert WORDS not in kept
    assert (await try_password(kept, WORDS)).is_right
    for other in ("", WORDS + " ", WORDS.upper(), kept):
        assert not (await try_password(kept, other)).is_right


@pytest.mark.anyio
async def test_the_same_password_is_kept_differently_each_time() -> None:
    assert await hash_password(WORDS) != await hash_password(WORDS)


@pytest.mark.anyio
async def test_a_password_typed_on_another_keyboard_is_the_same() -> None:
    composed = unicodedata.normalize("NFC", "naïve café à côté")
    apart = unicodedata.normalize("NFD", composed)

    assert composed != apart
    assert (await try_password(await hash_password(composed), apart)).is_right


@pytest.mark.anyio
async def test_where_no_password_is_kept_none_is_right() -> None:
    for password in ("", WORDS):
        assert not (await try_password(None, password)).is_right


@pytest.mark.anyio
async def test_what_is_no_hash_lets_nobody_in() -> None:
    assert not (await try_password("not a hash", "not a hash")).is_right


@pytest.mark.anyio
async def test_a_password_kept_with_older_parameters_comes_with_a_newer_hash_when_it_is_right() -> (
    None
):
    older = PasswordHasher(time_cost=1, memory_cost=1024).hash(WORDS)

    right, wrong = await try_password(older, WORDS), await try_password(older, "wrong" * 3)

    assert right.newer_hash is not None
    assert (await try_password(right.newer_hash, WORDS)) == type(right)(is_right=True)
    assert (wrong.is_right, wrong.newer_hash) == (False, None)
