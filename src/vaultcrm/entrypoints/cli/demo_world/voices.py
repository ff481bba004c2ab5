"""How the demo's voices came to be: older versions, each with small differences."""

from datetime import datetime, timedelta

from vaultcrm.entrypoints.cli.demo_world.lore import Lore, OlderVoice
from vaultcrm.entrypoints.cli.demo_world.past import PastVoice
from vaultcrm.entrypoints.cli.demo_world.world import DemoPersonality, DemoWorld

FIRST_SAVED = timedelta(days=45)
IN_FORCE = OlderVoice(0, (), (), (), None)


def past_voices(world: DemoWorld, lore: Lore, now: datetime) -> tuple[PastVoice, ...]:
    """All versions of all creators, the first one first; the last one is the world's."""
    voices: list[PastVoice] = []
    for personality in world.personalities:
        # A version was saved when the one before it was replaced.
        older = lore.older_voices[personality.creator_handle][::-1]
        saved = [
            now - FIRST_SAVED,
            *(now - timedelta(days=one.days_ago, minutes=37 * one.days_ago) for one in older),
        ]
        for number, (lacks, at) in enumerate(zip([*older, IN_FORCE], saved, strict=True), start=1):
            voices.append(_voice(personality, lacks, number, at))
    return tuple(voices)


def _voice(own: DemoPersonality, lacks: OlderVoice, version: int, at: datetime) -> PastVoice:
    return PastVoice(
        creator_handle=own.creator_handle,
        version=version,
        saved_at=at,
        personality_type=own.personality_type,
        tone_descriptors=_without(own.tone_descriptors, lacks.lacks_tones),
        forbidden_words=_without(own.forbidden_words, lacks.lacks_words),
        preferred_phrases=_without(own.preferred_phrases, lacks.lacks_phrases),
        emoji_style=lacks.emoji_style or own.emoji_style,
        system_prompt=own.system_prompt,
    )


def _without(values: tuple[str, ...], lacking: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(value for value in values if value not in lacking)
