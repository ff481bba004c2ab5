"""The dashboard: today's numbers, a chart a question, each with a table of the same figures."""

import json
from typing import Any

import pytest

from stubs.llm import LlmStub, Reply
from tests.entrypoints.web.browser import Page, Person, sign_in
from tests.support.app import RunningApp
from tests.support.drafts import NOWHERE, copies, drafted
from tests.support.world import Talk, candidate, conversation, rows, set_flag
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio

PATH = "/dashboard"
HTMX = {"HX-Request": "true"}


async def decide(mary: Person, generation_id: str, action: str, **more: Any) -> None:
    body = {"generationId": generation_id, "action": action, **more}
    await mary.api.made("/api/ai/approve", body)


async def outcome(mary: Person, generation_id: str, **known: Any) -> None:
    await mary.api.made("/api/ai/feedback", {"generationId": generation_id, **known})


async def days_ago(app: RunningApp, generation_id: str, days: int) -> None:
    """Let a draft, and what became of it, have been made so many days ago."""
    for table, column in (
        ("ai_message_generations", "id"),
        ("ai_message_feedback", "generation_id"),
        ("usage", "generation_id"),
        ("outbox", "generation_id"),
    ):
        await rows(
            app,
            f"UPDATE {table} SET created_at = created_at - %(days)s * '1 day'::interval "  # noqa: S608
            f"WHERE {column} = %(id)s",
            days=days,
            id=generation_id,
        )


def charts(page: Page) -> dict[str, dict[str, Any]]:
    """What the script is given to draw, by the id of the question above it."""
    return {
        given["aria-labelledby"]: json.loads(given["data-chart"])
        for _, given in page.elements
        if "data-chart" in given
    }


@pytest.fixture
async def mary(claude: RunningApp) -> Person:
    return await sign_in(claude, Role.MANAGER, name="Mary")


@pytest.fixture
async def talk(mary: Person) -> Talk:
    return await conversation(mary.api)


async def test_a_manager_reads_what_became_of_todays_drafts_in_numbers_and_in_words(
    mary: Person, talk: Talk, llm: LlmStub
) -> None:
    offers = [await drafted(mary.api, llm, talk, price_minor=2500) for _ in range(4)]
    await decide(mary, offers[0], "approve")
    await decide(mary, offers[1], "modify", modifiedMessage="New photos, just for you?")
    await decide(mary, offers[2], "reject", reason="too pushy")
    await outcome(mary, offers[0], purchased=True, revenue=2500, replied=True)
    await outcome(mary, offers[1], replied=False)

    text = (await mary.open(PATH)).text

    for told in (
        "Drafts made 4 yesterday 0",
        "Waiting now 1 the oldest came just now",
        "Sent unchanged 33% 1 of 3 decided by people",
        "Edited first 33% 1 of 3 decided by people",
        "Rejected 33% 1 of 3 decided by people",
        "Sent automatically 0% 0 of 3 decided",
        "Revenue of AI messages $25.00 1 bought",
        "Fans who replied 50% 1 of 2 known",
        "Offers bought 50% 1 of 2 offers",
        "With a finding 0% 0 of 4 drafts",
        "Of 4 drafts in the last 7 days: 2 went out (1 edited first), 1 rejected, 1 waiting.",
        "AI messages earned $25.00 in the last 7 days; models cost $",
    ):
        assert told in text


async def test_what_nobody_knows_yet_is_said_so_and_is_no_zero(
    mary: Person, talk: Talk, llm: LlmStub
) -> None:
    await decide(mary, await drafted(mary.api, llm, talk, price_minor=2500), "approve")

    text = (await mary.open(PATH)).text

    assert "Revenue of AI messages not known yet" in text
    assert "Fans who replied not known yet" in text
    assert "No revenue of AI messages is known in the last 7 days" in text


async def test_words_in_the_place_of_a_figure_are_not_set_as_one(mary: Person) -> None:
    page = await mary.open(PATH)

    values = [given["class"] for _, given in page.elements if "value" in given.get("class", "")]
    # Revenue twice, four shares of what was decided, time, findings, confidence, replies, offers.
    assert sum("words" in given for given in values) == 11
    assert len(values) == 17


async def test_a_draft_that_the_filter_stopped_is_told_from_one_that_a_person_rejected(
    mary: Person, talk: Talk, llm: LlmStub
) -> None:
    await decide(mary, await drafted(mary.api, llm, talk, price_minor=2500), "reject", reason="no")
    llm.script([Reply(candidates=[candidate("I am 15 years old, come and meet me")])] * 2)
    blocked = await mary.api.made("/api/ai/generate", talk.asks())
    assert blocked["status"] == "rejected"

    text = (await mary.open(PATH)).text

    assert "Of 2 drafts in the last 7 days: 1 rejected, 1 stopped by the filter." in text
    assert "With a finding 50% 1 of 2 drafts" in text


async def test_each_chart_has_a_table_of_the_figures_that_it_draws(
    mary: Person, talk: Talk, llm: LlmStub
) -> None:
    offers = [await drafted(mary.api, llm, talk, price_minor=2500) for _ in range(3)]
    await decide(mary, offers[0], "approve")
    await outcome(mary, offers[0], purchased=True, revenue=2500)

    page = await mary.open(PATH)

    drawn = charts(page)
    assert {"ask-worth", "ask-cost", "ask-outcomes"} <= set(drawn)
    assert drawn["ask-worth"]["values"][0][-1] == 25
    outcomes = drawn["ask-outcomes"]
    assert [line[-1] for line in outcomes["values"]] == [1, 0, 0, 2, 0, 0, 0]
    assert len(outcomes["labels"]) == 7
    assert f"{outcomes['moments'][-1]} 1 0 0 2 0 0 0 {outcomes['moments'][-2]} 0 0 0" in page.text


async def test_the_cost_is_told_by_model_and_purpose(
    mary: Person, talk: Talk, llm: LlmStub
) -> None:
    await drafted(mary.api, llm, talk, price_minor=2500)
    found = await rows(
        mary.app, "SELECT DISTINCT model, purpose FROM usage WHERE cost_micro_usd > 0"
    )

    page = await mary.open(PATH)

    assert found
    for row in found:
        assert f"{row['model']}, {row['purpose']} $" in page.text
    assert sum(line[-1] for line in charts(page)["ask-cost"]["values"]) > 0


async def test_charts_show_the_period_that_was_chosen_and_numbers_stay_todays(
    mary: Person, talk: Talk, llm: LlmStub
) -> None:
    old = await drafted(mary.api, llm, talk, price_minor=2500)
    for days in (1, 8, 40):
        [copy] = await copies(mary.app, old, 1)
        await days_ago(mary.app, copy, days)

    made = {}
    for days in (1, 7, 30, 90):
        page = await mary.open(f"{PATH}?days={days}")
        assert "Drafts made 1 yesterday 1" in page.text
        made[days] = sum(sum(line) for line in charts(page)["ask-outcomes"]["values"])

    assert made == {1: 1, 7: 2, 30: 3, 90: 4}


async def test_today_is_shown_hour_by_hour(mary: Person, talk: Talk, llm: LlmStub) -> None:
    await drafted(mary.api, llm, talk, price_minor=2500)

    drawn = charts(await mary.open(f"{PATH}?days=1"))["ask-outcomes"]

    assert drawn["labels"] == [f"{hour:02}:00" for hour in range(len(drawn["labels"]))]
    assert [sum(line) for line in zip(*drawn["values"], strict=True)][-1] == 1


async def test_one_creators_numbers_leave_out_those_of_others(
    mary: Person, talk: Talk, llm: LlmStub
) -> None:
    other = await conversation(mary.api, creator="zoe", fan="ben")
    for one, count in ((talk, 2), (other, 1)):
        for _ in range(count):
            await drafted(mary.api, llm, one, price_minor=2500)

    assert "Drafts made 3 " in (await mary.open(PATH)).text
    alone = await mary.open(f"{PATH}?creator={other.creator_id}")
    assert "Drafts made 1 " in alone.text
    assert "Waiting now 1 " in alone.text


async def test_a_foreign_creator_is_not_there_and_counts_for_nothing(
    mary: Person, talk: Talk, llm: LlmStub
) -> None:
    await drafted(mary.api, llm, talk, price_minor=2500)
    other = await conversation(mary.api, creator="zoe", fan="ben")
    zed = await sign_in(mary.app, Role.MANAGER, name="Zed", creators=["zoe"])

    assert (await zed.open(f"{PATH}?creator={talk.creator_id}")).status == 404
    assert (await zed.open(f"{PATH}?creator={NOWHERE}")).status == 404
    assert (await zed.open(f"{PATH}?creator={other.creator_id}")).status == 200
    assert "Drafts made 0 " in (await zed.open(PATH)).text


async def test_a_chatter_sees_no_dashboard(app: RunningApp) -> None:
    jo = await sign_in(app, Role.CHATTER, name="Jo")

    assert (await jo.open(PATH)).status == 403
    assert PATH not in (await jo.open("/inbox")).links.values()


async def test_with_ai_switched_off_only_what_people_do_is_counted(
    app: RunningApp,
) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    await conversation(ada.api)
    await set_flag(ada.api, "ENABLE_AI_CHAT", False)

    page = await ada.open(PATH)

    assert "AI is off, so its numbers are left out." in page.text
    assert "Fans who wait 1" in page.text
    assert "Messages an hour" in page.text
    for gone in ("Drafts made", "What does it cost?", "Drafted by AI", "Tokens"):
        assert gone not in page.text


async def test_how_long_fans_waited_is_told_for_ai_and_for_people_apart(
    mary: Person, talk: Talk, llm: LlmStub
) -> None:
    await decide(mary, await drafted(mary.api, llm, talk, price_minor=2500), "approve")
    send = f"/api/conversations/{talk.conversation_id}/send"
    await mary.api.made(send, {"creatorId": talk.creator_id, "text": "How are you?"})
    [said] = await rows(mary.app, "SELECT sent_at FROM messages WHERE sender = 'fan'")
    for author, minutes in (("ai_approved", 5), ("chatter", 20)):
        await rows(
            mary.app,
            "UPDATE outbox SET delivery_status = 'sent', "
            "updated_at = %(said)s + %(minutes)s * '1 minute'::interval WHERE author = %(author)s",
            said=said["sent_at"],
            minutes=minutes,
            author=author,
        )

    page = await mary.open(PATH)

    assert "5 min for messages drafted by AI, 20 min for messages written by people." in page.text
    assert [line[-1] for line in charts(page)["ask-waits"]["values"]] == [300, 1200]


async def test_htmx_gets_the_part_alone_and_asks_for_the_same_period_again(
    mary: Person, talk: Talk
) -> None:
    query = f"days=30&creator={talk.creator_id}"
    part = await mary.client.get(f"{PATH}?{query}", headers=HTMX)

    assert part.status_code == 200
    assert "<html" not in part.text
    assert f'hx-get="{PATH}?days=30&amp;creator={talk.creator_id}"' in part.text


@pytest.mark.parametrize("asked", ["days=5", "days=0", "creator="])
async def test_an_empty_choice_or_a_period_that_is_none_shows_the_usual_week(
    mary: Person, talk: Talk, asked: str
) -> None:
    page = await mary.open(f"{PATH}?{asked}")

    assert page.status == 200
    [form] = [form for form in page.forms if form.action == PATH]
    assert form.fields["days"] == "7"
