"""Secrets at rest: sealed with the installation's key, opened only where they are used.

Fernet (AES-128-CBC with HMAC-SHA256). The key is derived from the installation's own with HKDF, so
that what signs links and what seals secrets are different keys.
"""

import base64
import secrets
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from vaultcrm.domain.errors import SecretUnreadable

_OWN_KEY = "signing.key"


class Sealer:
    """Seals and opens with one key, of at least 32 bytes."""

    def __init__(self, key: bytes) -> None:
        derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"vaultcrm:secrets")
        self._fernet = Fernet(base64.urlsafe_b64encode(derived.derive(key)))

    def seal(self, plain: bytes) -> bytes:
        return self._fernet.encrypt(plain)

    def open(self, sealed: bytes) -> bytes:
        """Raises SecretUnreadable when it was sealed with another key."""
        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken:
            raise SecretUnreadable(
                "The stored credentials cannot be read with this installation's key. Give every "
                "machine the same VAULTCRM_SECRET_KEY, or connect the channel anew."
            ) from None


def has_installation_key(home: Path, given: SecretStr | None) -> bool:
    """Whether there is a key already, so that `installation_key` would make none."""
    return given is not None or (home / _OWN_KEY).exists()


def installation_key(home: Path, given: SecretStr | None) -> bytes:
    """The key of this installation: the given one, else its own, made the first time.

    Its own is written to a new file that is then linked into place, so that of two processes making
    it at once both end with the same key.
    """
    if given is not None:
        return given.get_secret_value().encode()
    path = home / _OWN_KEY
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        draft = home / f".signing.{secrets.token_hex(8)}"
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_hex(32))
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().encode()
