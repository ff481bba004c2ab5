"""What a score is computed from: everything is known before anybody decides."""

from dataclasses import dataclass
from datetime import datetime

INPUTS = (
    "formula",
    "self_rating",
    "agreement",
    "familiarity",
    "review_findings",
    "length",
    "long",
    "very_short",
    "price",
    "ppv_offer",
    "welcome",
    "thank_you",
    "re_engagement",
    "high_tier",
    "medium_tier",
    "foreign_language",
    "hour_sine",
    "hour_cosine",
    "wishes",
    "template",
    "fan_length",
    "fan_asks",
)
"""Names of the inputs in their order. How often this creator's drafts are changed is no input: it
is the model's `shift`.
"""


@dataclass(frozen=True, slots=True)
class Known:
    """A draft as it is before anybody has seen it.

    `formula` is the score by the stated formula and `self_rating` the model's own, both 0-100;
    `agreement` and `familiarity` are the formula's, 0-1. `foreign_language` is any but English.
    """

    formula: int
    self_rating: int
    agreement: float
    familiarity: float
    review_findings: int
    message: str
    price_minor: int | None
    generation_type: str
    tier: str
    foreign_language: bool
    at: datetime
    asked_with_wishes: bool
    from_template: bool
    fan_text: str
