"""From messages with their outcomes to a batch that can be tallied."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from vaultcrm.domain.generation import GenerationType
from vaultcrm.pipeline.learning.phrases import Finder
from vaultcrm.pipeline.learning.tallying import BANDS, Batch
from vaultcrm.pipeline.learning.traits import (
    ARMS,
    TIERS,
    band_of,
    circumstances_of,
    names_of,
    pieces_of,
    traits_of,
)

Row = tuple[str, str, str, datetime, int | None, str | None, bool, bool, int, str | None]
"""One message: text, the fan's name and tier, when it went, price and its currency, whether it was
replied to and bought, revenue in minor units, and the kind of draft (None: not AI's).
"""

_TIER_PLACE: Final = {tier.value: place for place, tier in enumerate(TIERS)}
_KINDS: Final[dict[str | None, GenerationType]] = {kind.value: kind for kind in GenerationType}


def batch_of(rows: Iterable[Row], finder: Finder, currency: str) -> Batch:
    """The strata, arms and outcomes of these messages. The arms of phrases come after `ARMS`, in
    the order of the finder's; revenue in another currency than `currency` is none.
    """
    batch = Batch()
    for text, name, tier, sent_at, price, priced_in, replied, bought, revenue, kind in rows:
        pieces = pieces_of(text, frozenset())
        names = names_of(name)
        band = band_of(price, priced_in, currency)
        arms = traits_of(text, pieces, names)
        arms += circumstances_of(tier, band, sent_at, _KINDS.get(kind))
        if finder.phrases:
            if not names.isdisjoint(pieces):
                pieces = pieces_of(text, names)
            arms += [len(ARMS) + place for place in finder.in_(pieces)]
        stratum = _TIER_PLACE[tier] * BANDS + band
        batch.add(stratum, arms, replied, bought, revenue if priced_in == currency else 0)
    return batch
