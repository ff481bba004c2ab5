"""Secrets at rest are sealed with the installation's key, and the key is made once."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from vaultcrm.controls.secrets import Sealer, installation_key
from vaultcrm.domain.errors import SecretUnreadable

KEY = b"a key of an installation, 32 bytes or more"
OTHER = b"another key of another installation, too"


@given(st.binary(max_size=500))
def test_what_is_sealed_is_read_with_the_same_key_in_another_process(plain: bytes) -> None:
    assert Sealer(KEY).open(Sealer(KEY).seal(plain)) == plain


@given(st.binary(min_size=4, max_size=100))
def test_what_is_sealed_cannot_be_read_off(plain: bytes) -> None:
    assert plain not in Sealer(KEY).seal(plain)


def test_the_same_secret_is_sealed_differently_each_time() -> None:
    sealer = Sealer(KEY)
    assert sealer.seal(b"secret") != sealer.seal(b"secret")


def test_another_key_opens_nothing_and_says_what_to_do() -> None:
    sealed = Sealer(KEY).seal(b"secret")
    with pytest.raises(SecretUnreadable, match="VAULTCRM_SECRET_KEY") as refused:
        Sealer(OTHER).open(sealed)
    assert "secret" not in str(refused.value).replace("VAULTCRM_SECRET_KEY", "")


@pytest.mark.parametrize("place", [0, 1, 20, -1])
def test_what_was_changed_after_sealing_is_not_opened(place: int) -> None:
    sealed = bytearray(Sealer(KEY).seal(b"secret of some length, to be sure"))
    sealed[place] ^= 1
    with pytest.raises(SecretUnreadable):
        Sealer(KEY).open(bytes(sealed))


@pytest.mark.parametrize("broken", [b"", b"secret", b"gAAAA", bytes(100)])
def test_what_was_never_sealed_is_not_opened(broken: bytes) -> None:
    with pytest.raises(SecretUnreadable):
        Sealer(KEY).open(broken)


def test_the_key_that_is_given_is_the_key_and_no_other_is_made(tmp_path: Path) -> None:
    given_key = SecretStr("x" * 32)
    assert installation_key(tmp_path, given_key) == b"x" * 32
    assert list(tmp_path.iterdir()) == []


def test_an_installation_makes_its_own_key_once_and_keeps_it_from_others(tmp_path: Path) -> None:
    home = tmp_path / "not" / "there" / "yet"
    key = installation_key(home, None)
    assert len(key) >= 32
    assert installation_key(home, None) == key
    [kept] = home.iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_two_installations_have_different_keys(tmp_path: Path) -> None:
    assert installation_key(tmp_path / "a", None) != installation_key(tmp_path / "b", None)


def test_of_many_that_make_the_key_at_once_all_end_with_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        keys = list(pool.map(lambda _: installation_key(tmp_path, None), range(64)))
    assert len(set(keys)) == 1
    assert len(list(tmp_path.iterdir())) == 1
