"""The name of the request that is being answered, the same in answers, logs and other systems."""

import re
import secrets

from vaultcrm.domain.request_id import begin_request, current_request_id

__all__ = ["current_request_id", "take_request_id"]

_GOOD = re.compile(r"[A-Za-z0-9._-]{1,64}")


def take_request_id(given: str | None) -> str:
    """The id that the caller gave if it is a plain one, else a new one; from now on it is this
    task's.
    """
    chosen = given if given and _GOOD.fullmatch(given) else secrets.token_hex(8)
    begin_request(chosen)
    return chosen
