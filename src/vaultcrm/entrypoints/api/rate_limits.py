"""What is left of the limits, in the headers of the IETF draft "RateLimit header fields for HTTP".

Its version 11 (May 2026): `RateLimit-Policy` names each limit with its quota `q` and window `w` in
seconds, `RateLimit` what is left of it, `r`, and the seconds until it is whole again, `t`. A quota
is in requests, in tokens or in millionths of a dollar (`usd`), as the name of the limit says.
"""

from collections.abc import Iterable, Mapping

from vaultcrm.domain.limits import Quota

GREATEST = 999_999_999_999_999
"""The greatest integer of a structured field (RFC 9651, 3.3.1)."""


def rate_limit_headers(quotas: Iterable[Quota]) -> Mapping[str, str]:
    """The two headers; none where no limit is known."""
    policies, left = [], []
    for quota in quotas:
        name = quota.name.replace("_", "-")
        most = min(quota.quota, GREATEST)
        policies.append(f'"{name}";q={most};w={quota.window_seconds}')
        left.append(f'"{name}";r={min(quota.left, GREATEST)};t={quota.ends_in_seconds}')
    if not policies:
        return {}
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(left)}
