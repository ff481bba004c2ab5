"""What kinds of worlds there are."""

from dataclasses import dataclass, replace
from enum import StrEnum


class PresetName(StrEnum):
    STANDARD = "standard"
    DRIFTING = "drifting"
    SLOPPY_CHATTERS = "sloppy_chatters"
    PRICE_SENSITIVE = "price_sensitive"
    NOTHING_MATTERS = "nothing_matters"


@dataclass(frozen=True, slots=True)
class Preset:
    """The numbers of a kind of world. Effects are on the logit of P(reply) unless said otherwise.

    `tone_spread`, `fan_spread` and `phrase_spread` are standard deviations: of a tone's effect on a
    creator's fans, of a single fan around it, and of a phrase's effect (half of the phrases have
    none). `question_effect` is a question's, `flaw_scale` multiplies those of flaws on fans. Tastes
    turn once in `drift_weeks` weeks; 0 keeps them. `price_scale` multiplies what a price does;
    `sensitivity` are the parameters of the beta distribution of price sensitivity. `sloppiness` is
    the mean share of drafts that a chatter approves unread; `leniency_spread` is the standard
    deviation of chatters' leniency, on the logit of P(approved unchanged).
    """

    name: PresetName
    summary: str
    tone_spread: float = 0.6
    fan_spread: float = 0.3
    phrase_spread: float = 0.6
    question_effect: float = 0.4
    flaw_scale: float = 1.0
    drift_weeks: float = 0.0
    price_scale: float = 1.0
    sensitivity: tuple[float, float] = (2.0, 2.0)
    sloppiness: float = 0.03
    leniency_spread: float = 0.4


_STANDARD = Preset(
    PresetName.STANDARD,
    "Fans have tastes for tones and phrases that stay, and mind prices moderately.",
)

PRESETS = {
    preset.name: preset
    for preset in (
        _STANDARD,
        replace(
            _STANDARD,
            name=PresetName.DRIFTING,
            summary="Fans' tastes turn into others and back, once in 16 weeks.",
            drift_weeks=16.0,
        ),
        replace(
            _STANDARD,
            name=PresetName.SLOPPY_CHATTERS,
            summary="Chatters approve two drafts in five without reading them.",
            sloppiness=0.4,
        ),
        replace(
            _STANDARD,
            name=PresetName.PRICE_SENSITIVE,
            summary="Most fans mind prices a lot, and what a price does is doubled.",
            price_scale=2.0,
            sensitivity=(5.0, 2.0),
        ),
        replace(
            _STANDARD,
            name=PresetName.NOTHING_MATTERS,
            summary="Neither tone nor phrase, question, flaw or price changes what fans do.",
            tone_spread=0.0,
            fan_spread=0.0,
            phrase_spread=0.0,
            question_effect=0.0,
            flaw_scale=0.0,
            price_scale=0.0,
        ),
    )
}


@dataclass(frozen=True, slots=True)
class WorldSpec:
    """Which world: `fans` are those of one creator, `days` how long it runs."""

    preset: PresetName = PresetName.STANDARD
    creators: int = 3
    fans: int = 20
    days: int = 14
    seed: int = 0
