"""The second factor: codes of six digits that change with time, and codes for the day it is lost.

Time codes are RFC 6238 (TOTP) over RFC 4226 (HOTP) with what every authenticator app assumes:
HMAC-SHA1, 30 seconds, 6 digits. A step is a number of such 30 seconds since 1970.
"""

import base64
import hashlib
import hmac
import secrets
from datetime import datetime
from urllib.parse import quote, urlencode

STEP_SECONDS = 30
DIGITS = 6
DRIFT_STEPS = 1
"""How far a phone's clock may be off, either way."""
SECRET_BYTES = 20
"""As many as SHA-1 has, which RFC 4226 recommends."""

RECOVERY_CODES = 10
_RECOVERY_BYTES = 10
_GROUP = 4
_ISSUER = "VaultCRM"


def new_secret() -> bytes:
    return secrets.token_bytes(SECRET_BYTES)


def step_at(moment: datetime) -> int:
    return int(moment.timestamp()) // STEP_SECONDS


def code_of(secret: bytes, step: int) -> str:
    """The code of one step: RFC 4226, section 5.3, with the step as its counter."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    start = digest[-1] & 0x0F
    number = int.from_bytes(digest[start : start + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def matching_step(secret: bytes, typed: str, now: datetime, *, after: int | None) -> int | None:
    """The step that a code belongs to; None when it is wrong, too old, or of a step up to `after`.

    `after` is the step of the last code that was taken: a code is good once, and one that was seen
    over somebody's shoulder is not good any more.
    """
    code = "".join(typed.split())
    if len(code) != DIGITS or not (code.isascii() and code.isdigit()):
        return None
    here = step_at(now)
    for step in range(here - DRIFT_STEPS, here + DRIFT_STEPS + 1):
        if hmac.compare_digest(code_of(secret, step), code) and (after is None or step > after):
            return step
    return None


def key_text(secret: bytes) -> str:
    """The secret as it is typed into an app: base32 in groups of four."""
    return _grouped(base64.b32encode(secret).decode(), " ")


def app_address(secret: bytes, account: str) -> str:
    """The `otpauth:` address that an app reads from a QR code."""
    values = {
        "secret": base64.b32encode(secret).decode(),
        "issuer": _ISSUER,
        "algorithm": "SHA1",
        "digits": DIGITS,
        "period": STEP_SECONDS,
    }
    return f"otpauth://totp/{_ISSUER}:{quote(account)}?{urlencode(values)}"


def new_recovery_codes() -> tuple[str, ...]:
    """Codes for when the phone is gone, 80 bits of chance each, as in `abcd-efgh-ijkl-mnop`."""
    return tuple(
        _grouped(base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode().lower(), "-")
        for _ in range(RECOVERY_CODES)
    )


def hash_recovery_code(typed: str, key: bytes) -> bytes:
    """What is kept of a recovery code: HMAC-SHA256 with the installation's key.

    However it was typed: case, blanks and dashes do not count.
    """
    plain = "".join(part for part in typed.lower() if part.isalnum())
    return hmac.new(key, b"recovery:" + plain.encode("utf-8", "replace"), hashlib.sha256).digest()


def _grouped(text: str, between: str) -> str:
    return between.join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))
