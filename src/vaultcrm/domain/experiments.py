"""A/B tests: variants of one thing, tried side by side."""

from dataclasses import dataclass
from enum import StrEnum


class VariantKind(StrEnum):
    """What a test compares, and so what a variant's `reference` is.

    `TEMPLATE`: a template's id. `PERSONALITY`: the version of a personality, in digits. `PROMPT`:
    the version of a prompt. `MODEL`: the name of a model.
    """

    TEMPLATE = "template"
    PERSONALITY = "personality"
    PROMPT = "prompt"
    MODEL = "model"


class AbTestStatus(StrEnum):
    """A test goes from draft to running to ended, and no other way."""

    DRAFT = "draft"
    RUNNING = "running"
    ENDED = "ended"


COMES_FROM = {AbTestStatus.RUNNING: AbTestStatus.DRAFT, AbTestStatus.ENDED: AbTestStatus.RUNNING}
"""The one status that each can be reached from; a draft is where a test begins."""


@dataclass(frozen=True, slots=True)
class Variant:
    """`weight` is the share of generations relative to the other variants' weights."""

    name: str
    weight: float
    kind: VariantKind
    reference: str
