"""Which variant a fan gets: the same one in every process and for as long as the test runs."""

import math
from collections.abc import Mapping
from hashlib import blake2b
from uuid import UUID

from vaultcrm.domain.experiments import Allocation, Assignment, RunningTest

_HASH_BYTES = 8


def share_of_fans(weights: Mapping[str, float]) -> dict[str, float]:
    """Weights as shares that sum to 1; those without a weight are left out."""
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items() if weight > 0}


def variant_for(test_id: UUID, fan_id: UUID, shares: Mapping[str, float]) -> str:
    """The variant of a fan, drawn with these probabilities by a hash of test, fan and variant.

    Each variant runs an exponential race with its share as the rate, and the first one home wins
    (weighted rendezvous hashing: Thaler and Ravishankar, 1998, with the weights of Efraimidis and
    Spirakis, 2006). So when a variant is taken out, only the fans who had it get another.
    `shares` must not be empty.
    """
    return min(
        sorted(shares), key=lambda name: -math.log(_uniform(test_id, fan_id, name)) / shares[name]
    )


def assign(test: RunningTest, fan_id: UUID) -> Assignment | None:
    """What this fan gets of a test; None where no variant is left."""
    if not test.shares:
        return None
    kept = [name for name in sorted(test.seen) if name in test.shares]
    if kept:
        name = kept[0]
        propensity = test.seen[name]
    else:
        name = variant_for(test.id, fan_id, test.shares)
        propensity = test.shares[name]
    return Assignment(
        test_id=test.id,
        variant=name,
        reference=test.references[name],
        propensity=propensity,
        epoch=test.epoch,
        first=test.allocation is Allocation.THOMPSON and not kept,
    )


def _uniform(test_id: UUID, fan_id: UUID, name: str) -> float:
    """A number between 0 and 1, never either of them."""
    digest = blake2b(
        test_id.bytes + fan_id.bytes + name.encode(), digest_size=_HASH_BYTES, person=b"ab-test"
    ).digest()
    # Its upper 53 bits, as many as a float tells apart.
    return ((int.from_bytes(digest) >> 11) + 0.5) / 2**53
