"""The drafter of known quality keeps to the port, and to what it says of itself."""

import pytest

from vaultcrm.adapters.worlds.texts import Flaw, read_text
from vaultcrm.adapters.worlds.voice import VoiceDrafter
from vaultcrm.domain.drafting import DraftDelta, DraftOutcome, DraftRequest, Prompt
from vaultcrm.domain.generation import GenerationType

SYSTEM = "Tone: warm, calm\nPhrases that Wanda likes, where they fit:\n- Golden hour\n"


def asked(
    turn: str = "The fan wrote something.", kind: GenerationType = GenerationType.REPLY
) -> DraftRequest:
    return DraftRequest(
        Prompt(SYSTEM, turn),
        kind,
        max_tokens=512,
        fan_message="I try to learn the guitar.",
        fan_name="Nora 1",
    )


@pytest.mark.anyio
async def test_the_same_prompt_gives_the_same_draft_and_another_seed_another() -> None:
    one, again = await VoiceDrafter(3).draft(asked()), await VoiceDrafter(3).draft(asked())
    other = await VoiceDrafter(4).draft(asked())
    assert one == again
    assert one.candidates != other.candidates
    assert one.outcome is DraftOutcome.COMPLETE
    assert len(one.candidates) == 2
    assert one.usage.total > 0


@pytest.mark.anyio
async def test_the_stream_ends_with_the_draft() -> None:
    drafter = VoiceDrafter(3)
    parts = [part async for part in drafter.stream(asked())]
    whole = await drafter.draft(asked())
    assert parts == [DraftDelta(whole.candidates[0].message), whole]


@pytest.mark.anyio
async def test_drafts_follow_the_prompt_and_rate_themselves_lower_when_they_have_flaws() -> None:
    drafter = VoiceDrafter(3)
    clean: list[int] = []
    flawed: list[int] = []
    tones = phrases = 0
    for number in range(150):
        draft = await drafter.draft(asked(f"turn {number}"))
        for candidate in draft.candidates:
            reading = read_text(candidate.message)
            off = reading.topic is not None and reading.topic != "music"
            tones += reading.tone in {"warm", "calm"}
            phrases += "Golden hour" in reading.phrases
            (flawed if reading.flaws or off else clean).append(candidate.self_rating)
            assert candidate.suggested_price_minor is None
    assert tones > 240
    assert 100 < phrases < 200
    assert sum(clean) / len(clean) > 90 > sum(flawed) / len(flawed)


@pytest.mark.anyio
async def test_an_offer_has_a_price_and_a_stopped_draft_is_not_drafted_again() -> None:
    drafter = VoiceDrafter(3)
    offer = (await drafter.draft(asked(kind=GenerationType.PPV_OFFER))).candidates[0]
    assert offer.suggested_price_minor
    assert read_text(offer.message).offers or Flaw.BLAND in read_text(offer.message).flaws
