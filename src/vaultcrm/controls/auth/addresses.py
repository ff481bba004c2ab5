"""From where somebody tries to sign in: what is counted for it, and how long it must wait.

Many people may share one address, so it has more tries than an account, and only wrong ones count.
"""

import hashlib
import hmac
from datetime import timedelta
from ipaddress import IPv6Address, ip_address

from vaultcrm.controls.auth import tries

FREE_TRIES = 30
"""Wrong tries from one address that cost nothing; from this one on each is followed by a wait."""

_IPV6_SITE_BITS = 64


def wait_after(number: int) -> timedelta | None:
    """The wait after so many wrong tries: as for an account, from the thirtieth on."""
    return tries.wait_after(number - FREE_TRIES + tries.FREE_TRIES)


def subject_of_address(address: str, key: bytes) -> bytes:
    """What tries from an address are counted under: HMAC-SHA256 with the installation's key.

    A plain hash would tell the address to whoever tries all of them. Of IPv6 the first 64 bits
    count, which one site has for itself; of an IPv4 address in IPv6's clothes the IPv4 one.
    """
    text = address
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        pass
    else:
        if isinstance(found, IPv6Address):
            inner = found.ipv4_mapped
            bits = int(found) >> (128 - _IPV6_SITE_BITS)
            text = str(inner) if inner else f"site:{bits:x}"
    return hmac.new(key, b"address:" + text.encode("utf-8", "replace"), hashlib.sha256).digest()
