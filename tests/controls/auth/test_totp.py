"""Codes that change with time, and those for the day the phone is gone."""

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from vaultcrm.controls.auth.totp import (
    RECOVERY_CODES,
    app_address,
    code_of,
    hash_recovery_code,
    key_text,
    matching_step,
    new_recovery_codes,
    new_secret,
    step_at,
)

RFC_SECRET = b"12345678901234567890"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_codes_are_the_last_six_digits_of_those_in_appendix_b_of_rfc_6238(
    seconds: int, code: str
) -> None:
    moment = datetime.fromtimestamp(seconds, UTC)
    assert code_of(RFC_SECRET, step_at(moment)) == code


@pytest.mark.parametrize(
    ("steps_off", "is_taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)]
)
def test_a_clock_that_is_half_a_minute_off_still_shows_a_good_code(
    steps_off: int, is_taken: bool
) -> None:
    step = step_at(NOW) + steps_off
    found = matching_step(RFC_SECRET, code_of(RFC_SECRET, step), NOW, after=None)
    assert found == (step if is_taken else None)


def test_a_code_is_good_once_and_so_are_those_before_it() -> None:
    here = step_at(NOW)
    for step in (here - 1, here):
        assert matching_step(RFC_SECRET, code_of(RFC_SECRET, step), NOW, after=here) is None
    after = code_of(RFC_SECRET, here + 1)
    assert matching_step(RFC_SECRET, after, NOW, after=here) == here + 1


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "１２３４５６", "-12345"])
def test_what_is_no_code_is_wrong(typed: str) -> None:
    assert matching_step(RFC_SECRET, typed, NOW, after=None) is None


def test_a_code_may_be_typed_as_apps_show_it() -> None:
    code = code_of(RFC_SECRET, step_at(NOW))
    assert matching_step(RFC_SECRET, f" {code[:3]} {code[3:]} ", NOW, after=None) == step_at(NOW)


def test_an_app_reads_the_same_secret_that_is_typed() -> None:
    secret = new_secret()
    address = urlsplit(app_address(secret, "jo+mia@example.com"))
    said = parse_qs(address.query)

    assert (address.scheme, address.netloc) == ("otpauth", "totp")
    assert address.path == "/VaultCRM:jo%2Bmia%40example.com"
    assert base64.b32decode(said["secret"][0]) == secret
    assert key_text(secret).replace(" ", "") == said["secret"][0]
    assert (said["issuer"], said["digits"], said["period"]) == (["VaultCRM"], ["6"], ["30"])


def test_secrets_and_recovery_codes_are_never_the_same() -> None:
    assert len({new_secret() for _ in range(50)}) == 50
    codes = [code for _ in range(20) for code in new_recovery_codes()]
    assert len(set(codes)) == 20 * RECOVERY_CODES


def test_a_recovery_code_is_known_however_it_is_typed_and_only_with_the_key() -> None:
    code = new_recovery_codes()[0]
    kept = hash_recovery_code(code, b"key")

    assert hash_recovery_code(code.upper().replace("-", " "), b"key") == kept
    assert hash_recovery_code(code, b"another key") != kept
    assert hash_recovery_code(code[:-1], b"key") != kept


def test_a_step_is_half_a_minute() -> None:
    assert step_at(NOW + timedelta(seconds=30)) == step_at(NOW) + 1
    assert step_at(NOW + timedelta(seconds=29)) == step_at(NOW)
