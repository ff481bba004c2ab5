"""What the demo has learned: the real learning over its past, and one proposal to look at.

A demo's month is too short for learning to be sure of anything. So one creator gets a proposal
whose evidence is made up like everything else here; what follows from it is what the product makes
of it.
"""

from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import proposals
from vaultcrm.domain.learning import PHRASE, Finding, Outcome
from vaultcrm.pipeline.learning.proposing import changed, suggestions
from vaultcrm.workflows.decide_proposal import version_in_force
from vaultcrm.workflows.learn_weekly import last_settled_week, learn_now
from vaultcrm.workflows.parts import Parts

MESSAGES = 4_216
TESTED = 87
EVIDENCE = (
    Finding("question", Outcome.REPLIED, "", 0.412, 0.331, 0.049, 0.113, MESSAGES, 0.078, False),
    Finding("long", Outcome.REPLIED, "", 0.297, 0.381, -0.129, -0.039, MESSAGES, -0.07, False),
    Finding("price:2", Outcome.REVENUE, "USD", 212.0, 141.0, 18.0, 124.0, 803, 68.0, False),
    Finding(
        f"{PHRASE}thinking of you always",
        Outcome.REMOVED,
        "",
        0.62,
        0.07,
        0.39,
        0.71,
        214,
        0.55,
        False,
    ),
    Finding("hours:3", Outcome.REPLIED, "", 0.401, 0.352, 0.021, 0.077, MESSAGES, 0.049, False),
)


async def learn_in_demo(parts: Parts, creator_id: UUID) -> None:
    """Let one creator have a proposal, which is its week's, and learn from the demo's past."""
    async with parts.transaction() as connection:
        await _propose(connection, parts, creator_id, parts.now())
    await learn_now(parts)


async def _propose(connection: Connection, parts: Parts, creator_id: UUID, now: datetime) -> None:
    voice = await version_in_force(connection, creator_id)
    wanted = suggestions(voice, EVIDENCE)
    await proposals.add(
        connection,
        creator_id=creator_id,
        week=last_settled_week(parts),
        base_version=voice.version,
        fields=changed(voice, wanted),
        findings=tuple(dict.fromkeys(one for each in wanted for one in each.findings)),
        messages=MESSAGES,
        tested=TESTED,
        now=now,
    )
