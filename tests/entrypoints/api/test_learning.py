"""`/api/ai/learning`: proposals with their evidence, and what a program may do with them."""

import pytest

from tests.support.app import RunningApp
from tests.support.learning import weeks_of_messages
from tests.support.world import conversation, sign_in
from tests.workflows.test_learn_weekly import asks_or_tells, week_end
from vaultcrm.domain.people import Role
from vaultcrm.workflows.learn_weekly import learn_now

pytestmark = pytest.mark.anyio

PATH = "/api/ai/learning/proposals"


async def test_a_proposal_is_listed_with_its_evidence_and_applied_once(app: RunningApp) -> None:
    program = await sign_in(app, Role.SERVICE)
    talk = await conversation(program)
    await weeks_of_messages(app, talk.creator_id, week_end(app.parts), 350, asks_or_tells)
    await learn_now(app.parts, "mia")
    listed = await program.found(PATH, creatorId=talk.creator_id, status="proposed")
    [one] = listed["items"]
    assert one["messages"] == 350
    question = next(each for each in one["evidence"] if each["arm"] == "question")
    assert question["text"].startswith("Messages that ask a question were answered")
    assert question["low"] < question["rate"] - question["otherwise"] < question["high"]
    assert "Ask the fan one short question." in one["fields"]["systemPrompt"]

    missing = await program.post(f"{PATH}/{one['id']}/dismiss", {})
    assert missing.status_code == 422
    first = await program.post(f"{PATH}/{one['id']}/apply", key="k1")
    again = await program.post(f"{PATH}/{one['id']}/apply", key="k1")
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    assert first.json()["status"] == "applied"
    assert first.json()["watch"] == {"state": "watching", "lookedAt": None, "figures": []}
    other = await program.post(f"{PATH}/{one['id']}/apply", key="k2")
    assert other.status_code == 409
    back = await program.made(f"{PATH}/{one['id']}/roll-back", None)
    assert (back["status"], back["appliedVersion"]) == ("rolled_back", 1)
    assert (await program.found(PATH, status="proposed"))["items"] == []
