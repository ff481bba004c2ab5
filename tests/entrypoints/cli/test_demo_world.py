"""The demo world: reproducible, well-formed, believable in its figures."""

import re
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest

from vaultcrm.adapters.channels.simulator.channel import GREATEST_PRICE, LEAST_PRICE
from vaultcrm.adapters.channels.simulator.fans import CreatorKind, kind_of
from vaultcrm.domain.generation import GenerationType
from vaultcrm.domain.money import Money
from vaultcrm.domain.people import Tier, tier_of
from vaultcrm.domain.personality import EmojiStyle
from vaultcrm.entrypoints.cli.demo_world.build import build_world
from vaultcrm.entrypoints.cli.demo_world.scripts import load_scripts
from vaultcrm.entrypoints.cli.demo_world.world import ConversationLine, DemoWorld, MessageLine
from vaultcrm.workflows.import_format import ImportLine, check_line

NOW = datetime(2026, 11, 20, 14, 5, 30, 123, tzinfo=UTC)
EMOJI = re.compile("[\u2600-\u27bf\U0001f300-\U0001faff]")


@pytest.fixture(scope="module", params=[7, 1, 2, 3], ids="seed-{}".format)
def world(request: pytest.FixtureRequest) -> DemoWorld:
    return build_world(request.param, now=NOW)


def times(line: MessageLine) -> list[datetime]:
    """When it was sent and, if so, bought."""
    bought = line.get("purchasedAt")
    return [datetime.fromisoformat(text) for text in (line["sentAt"], bought) if text]


def spent(conversation: ConversationLine) -> int:
    return sum(m["priceMinor"] for m in conversation["messages"] if "purchasedAt" in m)


def key(conversation: ConversationLine) -> tuple[str, str]:
    return conversation["creator"]["handle"], conversation["fan"]["handle"]


def by_creator(world: DemoWorld) -> dict[str, list[str]]:
    said: dict[str, list[str]] = {}
    for conversation in world.conversations:
        texts = said.setdefault(conversation["creator"]["handle"], [])
        texts += [m["text"] for m in conversation["messages"] if m["from"] == "creator"]
    return said


# --- the same again -------------------------------------------------------------------------------


def test_the_same_seed_and_time_give_the_same_world() -> None:
    first, second = build_world(7, now=NOW), build_world(7, now=NOW)
    assert first == second
    assert first.import_lines() == second.import_lines()


def test_another_process_gives_the_same_bytes() -> None:
    script = (
        "import hashlib\nfrom datetime import UTC, datetime\n"
        "from vaultcrm.entrypoints.cli.demo_world.build import build_world\n"
        "world = build_world(7, now=datetime(2026, 11, 20, 14, 5, 30, 123, tzinfo=UTC))\n"
        "print(hashlib.sha256(world.import_lines().encode()).hexdigest())"
    )
    digests = {subprocess.check_output([sys.executable, "-c", script]) for _ in range(2)}
    assert len(digests) == 1


def test_the_same_moment_in_another_offset_gives_the_same_world() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=9)))
    assert build_world(7, now=elsewhere) == build_world(7, now=NOW)


def test_another_seed_gives_another_world() -> None:
    assert build_world(7, now=NOW).import_lines() != build_world(8, now=NOW).import_lines()


def test_a_later_time_moves_the_world_and_leaves_what_is_said() -> None:
    days = timedelta(days=3)
    before = build_world(7, now=NOW).conversations
    after = build_world(7, now=NOW + days).conversations
    for first, second in zip(before, after, strict=True):
        for old, new in zip(first["messages"], second["messages"], strict=True):
            assert old["text"] == new["text"]
            assert [moment + days for moment in times(old)] == times(new)


def test_a_time_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="offset"):
        build_world(7, now=NOW.replace(tzinfo=None))


@pytest.mark.parametrize("seed", range(40, 60))
def test_every_seed_gives_a_world(seed: int) -> None:
    assert len(build_world(seed, now=NOW).conversations) == 60


# --- how much of it -------------------------------------------------------------------------------


def test_three_creators_have_twenty_fans_each(world: DemoWorld) -> None:
    fans = Counter(conversation["creator"]["handle"] for conversation in world.conversations)
    assert fans == {personality.creator_handle: 20 for personality in world.personalities}
    assert len(fans) == 3
    assert len({key(conversation) for conversation in world.conversations}) == 60


def test_there_are_about_four_thousand_messages(world: DemoWorld) -> None:
    assert 3_500 <= sum(len(c["messages"]) for c in world.conversations) <= 4_500


def test_active_conversations_are_long_and_the_others_short(world: DemoWorld) -> None:
    lengths = {key(c): len(c["messages"]) for c in world.conversations}
    for creator in load_scripts():
        for fan in creator.fans:
            length = lengths[creator.personality.creator_handle, fan.handle]
            assert (40 <= length <= 135) if fan.activity == "active" else (1 <= length <= 40)


def test_every_tier_is_there_and_the_higher_the_rarer(world: DemoWorld) -> None:
    values = [c["fan"]["lifetimeValueMinor"] for c in world.conversations]
    tiers = Counter(tier_of(Money(value)) for value in values)
    assert 3 <= tiers[Tier.WHALE] < tiers[Tier.HIGH] < tiers[Tier.MEDIUM] < tiers[Tier.LOW]


def test_a_fan_has_the_tier_that_was_written_for_them(world: DemoWorld) -> None:
    written = {
        (creator.personality.creator_handle, fan.handle): fan.tier
        for creator in load_scripts()
        for fan in creator.fans
    }
    for conversation in world.conversations:
        value = Money(conversation["fan"]["lifetimeValueMinor"])
        assert tier_of(value) is written[key(conversation)]


def test_about_half_of_the_fans_wait_for_an_answer(world: DemoWorld) -> None:
    waiting = sum(c["messages"][-1]["from"] == "fan" for c in world.conversations)
    assert 25 <= waiting <= 36


# --- money ----------------------------------------------------------------------------------------


def test_a_lifetime_value_is_the_purchases_and_what_was_spent_before(world: DemoWorld) -> None:
    earlier = {(e.creator_handle, e.handle): e.earlier_value_minor for e in world.extras}
    for conversation in world.conversations:
        assert earlier[key(conversation)] >= 0
        value = conversation["fan"]["lifetimeValueMinor"]
        assert value == spent(conversation) + earlier[key(conversation)]


def test_fans_buy_some_offers_and_leave_others(world: DemoWorld) -> None:
    offers = [m for c in world.conversations for m in c["messages"] if "priceMinor" in m]
    bought = [m for m in offers if "purchasedAt" in m]
    assert len(offers) > 80
    assert 0.25 < len(bought) / len(offers) < 0.75


def test_only_creators_charge_and_within_what_the_simulator_takes(world: DemoWorld) -> None:
    for conversation in world.conversations:
        for message in conversation["messages"]:
            if "priceMinor" in message:
                assert message["from"] == "creator"
                assert LEAST_PRICE.minor <= message["priceMinor"] <= GREATEST_PRICE.minor
            else:
                assert "purchasedAt" not in message


def test_nobody_is_offered_the_same_thing_twice(world: DemoWorld) -> None:
    for conversation in world.conversations:
        offered = [m["text"] for m in conversation["messages"] if "priceMinor" in m]
        assert len(set(offered)) == len(offered)


# --- time -----------------------------------------------------------------------------------------


def test_messages_and_purchases_are_in_order_and_not_in_the_future(world: DemoWorld) -> None:
    for conversation in world.conversations:
        moments = [moment for message in conversation["messages"] for moment in times(message)]
        assert all(earlier < later for earlier, later in pairwise(moments))
        assert moments[-1] <= NOW


def test_times_are_written_in_utc_with_whole_seconds(world: DemoWorld) -> None:
    for conversation in world.conversations:
        for message in conversation["messages"]:
            for text in (message["sentAt"], message.get("purchasedAt", message["sentAt"])):
                assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text)


def test_active_conversations_go_back_for_months(world: DemoWorld) -> None:
    for conversation in world.conversations:
        if len(conversation["messages"]) >= 40:
            (first, *_), (last, *_) = (times(conversation["messages"][at]) for at in (0, -1))
            assert timedelta(days=60) < last - first < timedelta(days=300)


def test_nobody_writes_in_the_dead_of_night(world: DemoWorld) -> None:
    """Spanish, German and French fans live an hour from UTC, so that their clock can be read.

    The last exchange is left out: it ends near `now`, whenever that is.
    """
    abroad = {f.handle for c in load_scripts() for f in c.fans if f.language != "en"}
    hours = [
        (moment.hour + 1) % 24
        for c in world.conversations
        if c["fan"]["handle"] in abroad
        for message in c["messages"][:-6]
        for moment in times(message)
    ]
    assert len(hours) > 60
    assert sum(3 <= hour < 6 for hour in hours) == 0
    assert sum(18 <= hour < 24 for hour in hours) > len(hours) / 3


# --- texts ----------------------------------------------------------------------------------------


def test_every_text_is_there_and_short_enough(world: DemoWorld) -> None:
    texts = [m["text"] for c in world.conversations for m in c["messages"]]
    texts += [template.text for template in world.templates]
    for text in texts:
        assert text == text.strip()
        assert 0 < len(text) <= 1_000


def test_no_slot_or_choice_is_left_open_in_a_message(world: DemoWorld) -> None:
    for conversation in world.conversations:
        for message in conversation["messages"]:
            assert not set("{}[]|<>") & set(message["text"])


def test_what_is_said_varies_and_repeats_little_within_a_conversation(world: DemoWorld) -> None:
    assert len({m["text"] for c in world.conversations for m in c["messages"]}) > 900
    for conversation in world.conversations:
        texts = [message["text"] for message in conversation["messages"]]
        assert len(set(texts)) > 0.95 * len(texts)


def test_what_follows_from_another_story_comes_after_it(world: DemoWorld) -> None:
    told = 0
    for conversation in world.conversations:
        texts = [message["text"] for message in conversation["messages"]]
        for sequel, start in (
            ("I MADE IT. wore it all day, nothing fell off", "I'm so behind. Convention"),
            ("I DID the open mic! forgot the second verse", "How do you deal with nerves"),
            ("ok monday happened. all three exercises done", "Could you write me a three-day"),
        ):
            if sequel in texts:
                told += 1
                assert any(text.startswith(start) for text in texts[: texts.index(sequel)])
    assert told > 3


def test_sixty_stories_and_more_are_written_for_each_creator() -> None:
    for creator in load_scripts():
        assert len(creator.languages["en"].stories) >= 60
        assert len(creator.languages["en"].welcomes) >= 5


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("es", {"que", "de", "el", "la"}),
        ("de", {"ich", "das", "der", "die", "und"}),
        ("fr", {"je", "de", "la"}),
    ],
)
def test_some_fans_write_in_another_language_and_are_answered_in_it(
    world: DemoWorld, language: str, words: set[str]
) -> None:
    own = [f.handle for c in load_scripts() for f in c.fans if f.language == language]
    assert len(own) >= 2
    for conversation in world.conversations:
        if conversation["fan"]["handle"] in own:
            for sender in ("fan", "creator"):
                texts = [m["text"] for m in conversation["messages"] if m["from"] == sender]
                said = set(re.findall(r"\w+", " ".join(texts).lower()))
                assert len(said & words) >= 2


def test_no_creator_says_what_they_forbid(world: DemoWorld) -> None:
    said = by_creator(world)
    for personality in world.personalities:
        texts = said[personality.creator_handle]
        texts += [t.text for t in world.templates if t.creator_handle == personality.creator_handle]
        for word in personality.forbidden_words:
            pattern = re.compile(rf"\b{re.escape(word)}\b", re.IGNORECASE)
            assert not [text for text in texts if pattern.search(text)]


def test_each_creator_sounds_like_their_profile(world: DemoWorld) -> None:
    share = {
        EmojiStyle.RARE: (0.0, 0.05),
        EmojiStyle.MODERATE: (0.1, 0.6),
        EmojiStyle.FREQUENT: (0.6, 1.0),
    }
    said = by_creator(world)
    for personality in world.personalities:
        texts = said[personality.creator_handle]
        least, greatest = share[personality.emoji_style]
        assert least <= sum(bool(EMOJI.search(text)) for text in texts) / len(texts) <= greatest
        everything = " ".join(texts).lower()
        used = [phrase for phrase in personality.preferred_phrases if phrase in everything]
        assert len(used) >= 5


# --- what the import format does not carry --------------------------------------------------------


def test_the_three_voices_differ_and_are_complete(world: DemoWorld) -> None:
    assert [p.kind for p in world.personalities] == [
        CreatorKind.FITNESS,
        CreatorKind.MUSIC,
        CreatorKind.COSTUMES,
    ]
    assert len({p.emoji_style for p in world.personalities}) == 3
    for personality in world.personalities:
        assert len(personality.preferred_phrases) >= 6
        assert len(personality.forbidden_words) >= 5
        assert len(personality.tone_descriptors) >= 3
        assert personality.system_prompt.count(".") >= 3


def test_simulated_fans_can_tell_from_a_profile_what_to_talk_about(world: DemoWorld) -> None:
    for personality in world.personalities:
        described = f"{personality.personality_type} {personality.system_prompt}"
        assert kind_of(described) is personality.kind


def test_each_creator_has_six_to_eight_templates_of_every_type(world: DemoWorld) -> None:
    for personality in world.personalities:
        own = [t for t in world.templates if t.creator_handle == personality.creator_handle]
        assert 6 <= len(own) <= 8
        assert {template.category for template in own} == set(GenerationType)
        assert len({template.name for template in own}) == len(own)
        for template in own:
            assert "{fan_name}" in template.text
            assert set(re.findall(r"\{(\w+)\}", template.text)) == {"fan_name"}
            assert (template.price_minor is not None) is template.category.sells


def test_every_fan_has_extras_and_most_were_told_about_ai(world: DemoWorld) -> None:
    extras = {(e.creator_handle, e.handle): e for e in world.extras}
    assert set(extras) == {key(conversation) for conversation in world.conversations}
    assert 45 <= sum(e.disclosed for e in extras.values()) <= 57
    assert sum(bool(e.notes) for e in extras.values()) > 45


def test_names_try_what_a_screen_must_bear(world: DemoWorld) -> None:
    names = [conversation["fan"]["displayName"] for conversation in world.conversations]
    assert any(len(name) > 60 for name in names)
    assert any("\u0600" <= name[0] <= "\u06ff" for name in names)
    assert any("\u0590" <= name[0] <= "\u05ff" for name in names)
    assert any(EMOJI.search(name) for name in names)
    assert any(len(name) == 1 for name in names)


def test_drafts_are_asked_for_where_they_make_sense(world: DemoWorld) -> None:
    conversations = {key(conversation): conversation for conversation in world.conversations}
    assert 12 <= len(world.waiting) <= 16
    assert {generation_type for _, _, generation_type in world.waiting} == set(GenerationType)
    assert len({handle for handle, _, _ in world.waiting}) == 3
    for creator_handle, fan_handle, generation_type in world.waiting:
        last = conversations[creator_handle, fan_handle]["messages"][-1]
        if generation_type in {GenerationType.REPLY, GenerationType.WELCOME}:
            assert last["from"] == "fan"
        elif generation_type is GenerationType.THANK_YOU:
            assert "purchasedAt" in last
        elif generation_type is GenerationType.RE_ENGAGEMENT:
            assert NOW - times(last)[-1] > timedelta(days=14)


def test_import_takes_every_line(world: DemoWorld) -> None:
    lines = world.import_lines().encode().splitlines()
    assert len(lines) == 60
    for number, line in enumerate(lines, start=1):
        assert isinstance(check_line(number, line), ImportLine)


def test_a_conversation_has_the_fields_of_the_import_format(world: DemoWorld) -> None:
    for conversation in world.conversations:
        assert set(conversation) == {"creator", "fan", "channel", "messages"}
        assert conversation["channel"] == "simulator"
        assert conversation["fan"]["currency"] == "USD"
        ids = [message["id"] for message in conversation["messages"]]
        assert ids == [f"m{number}" for number in range(1, len(ids) + 1)]
        assert {m["from"] for m in conversation["messages"]} <= {"fan", "creator"}
        allowed = {"id", "from", "text", "sentAt", "priceMinor", "purchasedAt"}
        assert all(set(message) <= allowed for message in conversation["messages"])
