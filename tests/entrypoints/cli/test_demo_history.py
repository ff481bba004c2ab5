"""The demo's history: the same every time, believable, and nothing of it ever leaves."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.entrypoints.web.browser import Person, sign_in
from tests.support.app import RunningApp
from tests.support.fixtures import app
from tests.support.world import rows
from vaultcrm.domain.approval import ApprovalReason, RejectReason
from vaultcrm.domain.generation import FeedbackType, GenerationStatus, GenerationType
from vaultcrm.domain.people import Role
from vaultcrm.domain.safety import Scope, Verdict
from vaultcrm.entrypoints.cli.demo_filling import fill
from vaultcrm.entrypoints.cli.demo_world.build import build_world
from vaultcrm.entrypoints.cli.demo_world.history import build_history
from vaultcrm.entrypoints.cli.demo_world.lore import load_lore
from vaultcrm.entrypoints.cli.demo_world.past import DemoHistory, PastDraft
from vaultcrm.pipeline.approval.edits import edit_distance
from vaultcrm.pipeline.safety.filter import ContentFilter

__all__ = ["app"]

EVENING = datetime(2026, 11, 20, 21, 5, tzinfo=UTC)
FILTER = ContentFilter.load()
WORLD = build_world(7, now=EVENING)


def history_of(seed: int) -> DemoHistory:
    return build_history(WORLD, seed, now=EVENING, content_filter=FILTER)


@pytest.fixture(scope="module", params=[7, 1, 2], ids="seed-{}".format)
def history(request: pytest.FixtureRequest) -> DemoHistory:
    return history_of(request.param)


def decided(drafts: Iterable[PastDraft]) -> Counter[FeedbackType]:
    return Counter(draft.decision.kind for draft in drafts if draft.decision)


def unchanged(drafts: Iterable[PastDraft]) -> float:
    """The share of what people decided on that they left as it was."""
    kinds = decided(drafts)
    return kinds[FeedbackType.APPROVED] / (kinds.total() - kinds[FeedbackType.AUTO_SENT])


# --- as a value -----------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_history_and_another_seed_another() -> None:
    assert history_of(7) == history_of(7)
    assert history_of(7).drafts != history_of(8).drafts


def test_every_creator_has_about_ten_drafts_a_day_for_a_month(history: DemoHistory) -> None:
    first = EVENING - timedelta(days=31)
    assert all(first < draft.at <= EVENING for draft in history.drafts)
    for personality in WORLD.personalities:
        own = [d for d in history.drafts if d.creator_handle == personality.creator_handle]
        assert 200 <= len(own) <= 600
        assert len({draft.at.date() for draft in own}) >= 27


def test_drafts_of_every_type_end_in_every_way(history: DemoHistory) -> None:
    assert {draft.generation_type for draft in history.drafts} == set(GenerationType)
    assert set(decided(history.drafts)) == set(FeedbackType)
    statuses = Counter(draft.status for draft in history.drafts)
    assert set(statuses) == set(GenerationStatus) - {GenerationStatus.QUEUED}


def test_more_drafts_go_out_unchanged_as_the_month_goes_on(history: DemoHistory) -> None:
    middle = EVENING - timedelta(days=15)
    before = unchanged(draft for draft in history.drafts if draft.at < middle)
    after = unchanged(draft for draft in history.drafts if draft.at >= middle)
    assert 0.5 < before < 0.72
    assert before + 0.03 < after < 0.9


def test_a_draft_is_made_before_it_is_decided_and_decided_before_it_is_sent(
    history: DemoHistory,
) -> None:
    for draft in history.drafts:
        if draft.decision:
            assert draft.at <= draft.decision.at <= (draft.sent_at or EVENING) <= EVENING
        if draft.stale_at:
            assert draft.at <= draft.stale_at <= EVENING


def test_what_was_edited_differs_from_its_draft_and_what_was_approved_does_not(
    history: DemoHistory,
) -> None:
    for draft in history.drafts:
        if draft.decision is None or draft.decision.kind is FeedbackType.REJECTED:
            continue
        final = (draft.decision.final_message, draft.decision.final_price)
        edited = draft.decision.kind is FeedbackType.MODIFIED
        assert (final != (draft.message, draft.price)) is edited


def test_rejections_bear_a_reason_that_can_be_counted(history: DemoHistory) -> None:
    reasons = {
        RejectReason(draft.decision.reason or "")
        for draft in history.drafts
        if draft.decision and draft.decision.kind is FeedbackType.REJECTED
    }
    assert len(reasons) >= 5


def test_what_left_by_itself_was_let_go_by_the_policy(history: DemoHistory) -> None:
    for draft in history.drafts:
        assert (draft.status is GenerationStatus.AUTO_SENT) is (not draft.reasons)
        if draft.status is GenerationStatus.AUTO_SENT:
            assert draft.safety.verdict is Verdict.ALLOW
            assert draft.price is None


def test_the_filter_stops_what_is_told_to_have_been_stopped_and_nothing_else(
    history: DemoHistory,
) -> None:
    for text in load_lore().blocked:
        assert FILTER.check(text, Scope.DRAFT).verdict is Verdict.BLOCK
    for draft in history.drafts:
        stopped = ApprovalReason.FILTER_BLOCKED in draft.reasons
        assert stopped is (draft.safety.verdict is Verdict.BLOCK)
        assert stopped is (draft.status is GenerationStatus.REJECTED and draft.decision is None)


def test_a_voice_has_three_versions_and_the_last_is_the_creators_own(
    history: DemoHistory,
) -> None:
    for personality in WORLD.personalities:
        voices = [v for v in history.voices if v.creator_handle == personality.creator_handle]
        assert [voice.version for voice in voices] == [1, 2, 3]
        assert [voice.saved_at for voice in voices] == sorted(v.saved_at for v in voices)
        assert voices[-1].preferred_phrases == personality.preferred_phrases
        told = [
            (v.tone_descriptors, v.forbidden_words, v.emoji_style, v.preferred_phrases)
            for v in voices
        ]
        assert len(set(told)) == 3


# --- in an installation ---------------------------------------------------------------------------


LAST_EVENING = (datetime.now(UTC) - timedelta(days=1)).replace(hour=21, minute=5)
"""Late on a day, so that much of it is over whenever the tests run."""


@pytest.fixture
async def mary(app: RunningApp) -> Person:
    """Signed in by the clock of this machine, before it is turned back."""
    return await sign_in(app, Role.MANAGER, name="Mary")


@pytest.fixture
async def demo(app: RunningApp, mary: Person) -> RunningApp:
    """A fresh demo, on an evening."""
    parts = replace(app.parts, now=lambda: LAST_EVENING)
    app.app.state.parts = parts
    await fill(parts, lambda _: None)
    return replace(app, parts=parts)


@pytest.mark.anyio
async def test_a_fresh_demos_dashboard_shows_a_figure_in_every_tile(
    demo: RunningApp, mary: Person
) -> None:
    page = await mary.open("/dashboard?days=30")

    values = [given["class"] for _, given in page.elements if "value" in given.get("class", "")]
    assert len(values) == 17
    assert not [given for given in values if "words" in given]
    for unknown in ("not known yet", "none today", "Nothing to draw yet", "No draft was made"):
        assert unknown not in page.text
    assert "That is $" in page.text


@pytest.mark.anyio
async def test_nothing_of_the_history_is_on_its_way(demo: RunningApp) -> None:
    by_status = await rows(
        demo, "SELECT delivery_status AS status, count(*) FROM outbox GROUP BY 1 ORDER BY 1"
    )
    old = await rows(
        demo,
        "SELECT 1 FROM outbox WHERE delivery_status = 'pending' AND created_at < %(now)s",
        now=LAST_EVENING,
    )
    sent_again = await rows(
        demo,
        """
        SELECT j.id FROM procrastinate_jobs j
        JOIN outbox o ON strpos(j.args::text, o.id::text) > 0 AND o.delivery_status = 'sent'
        """,
    )
    assert {row["status"] for row in by_status} <= {"pending", "sent"}
    assert by_status[-1]["count"] > 500
    assert (old, sent_again) == ([], [])


@pytest.mark.anyio
async def test_each_message_that_a_draft_became_says_what_was_decided(demo: RunningApp) -> None:
    found = await rows(
        demo,
        """
        SELECT m.text AS said, m.price_minor AS asked, o.text, o.price_minor, f.final_message,
               f.original_message, f.edit_distance, m.author, g.status, m.sent_at, o.updated_at
        FROM messages m
        JOIN ai_message_generations g ON g.creator_id = m.creator_id AND g.id = m.generation_id
        JOIN ai_message_feedback f ON f.creator_id = g.creator_id AND f.generation_id = g.id
        JOIN outbox o ON o.creator_id = g.creator_id AND o.generation_id = g.id
        """,
    )
    assert len(found) > 500
    for row in found:
        assert row["said"] == row["text"] == row["final_message"]
        assert row["asked"] == row["price_minor"]
        assert row["sent_at"] == row["updated_at"]
        assert row["edit_distance"] == edit_distance(row["original_message"], row["said"])
        assert (row["author"] == "ai_automatic") is (row["status"] == "auto_sent")


@pytest.mark.anyio
async def test_filling_a_demo_again_changes_nothing(demo: RunningApp) -> None:
    count = """
        SELECT (SELECT count(*) FROM ai_message_generations) AS drafts,
               (SELECT count(*) FROM messages) AS messages, (SELECT count(*) FROM usage) AS usage,
               (SELECT count(*) FROM audit_log) AS audit, (SELECT count(*) FROM users) AS users
    """
    before = await rows(demo, count)

    await fill(demo.parts, lambda _: None)

    assert await rows(demo, count) == before
