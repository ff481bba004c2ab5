"""The plans that PostgreSQL chooses for the queue's statements once they are prepared."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg

from bench.servers import Server
from vaultcrm.db.queries import cards, generations, queue
from vaultcrm.db.queries.queue import Selection

EXECUTIONS = 6
"""PostgreSQL plans a prepared statement anew five times before it settles on one plan."""


@dataclass(frozen=True)
class Seen:
    """The nodes of a plan with the rows that each has given, pages read, and milliseconds."""

    statement: str
    nodes: Sequence[str]
    pages: int
    ms: float
    conditions: tuple[str, ...] = ()
    """What indexes are asked, as PostgreSQL writes it."""

    def told(self) -> str:
        return f"{self.statement}: {' < '.join(self.nodes)}; {self.pages:,} pages, {self.ms:.2f} ms"


def explain_all(server: Server) -> list[Seen]:
    """Run each statement as often as it takes to settle, then explain it; nothing is kept."""
    with psycopg.connect(server.database_url) as connection:
        seen = []
        creators = [row[0] for row in connection.execute("SELECT id FROM creators ORDER BY id")]
        for name, (statement, params) in queue_statements(connection, creators).items():
            seen.append(explain(connection, name, statement, params))
            connection.rollback()
    return seen


def queue_statements(
    connection: psycopg.Connection[Any], creators: Sequence[UUID]
) -> Mapping[str, tuple[str, Mapping[str, Any]]]:
    now, every = datetime.now(UTC), f"{len(creators)} creators"
    [(creator_id, generation_id, user_id)] = connection.execute(
        """SELECT g.creator_id, g.id, u.id FROM ai_message_generations g, users u
           WHERE g.creator_id = %s AND g.status = 'queued' AND g.claimed_by IS NULL LIMIT 1""",
        (creators[0],),
    )
    found: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for label, chosen in (("one creator", creators[:1]), (every, creators)):
        selection = Selection(tuple(chosen), user_id)
        found[f"page, {label}"] = queue.page_statement(selection, now, 50)
        found[f"claim candidates, {label}"] = queue.candidates_statement(selection, now)
    for part in cards.CardList:
        found[f"cards {part.value}, {every}"] = cards.cards_statement(
            creators, user_id, cards=part, now=now, limit=51, offset=0
        )
    found[f"counts, {every}"] = (
        cards.QUEUE_COUNTS,
        {"creator_ids": creators, "user_id": user_id, "now": now, "most": cards.MOST_COUNTED},
    )
    one = {"creator_id": creator_id, "id": generation_id, "user_id": user_id, "now": now}
    decided = {
        **one,
        "status": "approved",
        "final_message": "x",
        "final_price_minor": None,
        "although_stale": False,
    }
    escalated = {
        "creator_id": creator_id,
        "points": 150,
        "level": 1,
        "made_before": now - timedelta(days=30),
    }
    found["find by id"] = (generations.FIND, {"id": generation_id})
    found["claim"] = (queue.CLAIM, {**one, "until": now})
    found["decide"] = (generations.DECIDE, decided)
    found["escalate (none is due)"] = (queue.ESCALATE, escalated)
    found[f"held, {every}"] = (queue.HELD, {"creator_ids": creators, "now": now})
    return found


def explain(
    connection: psycopg.Connection[Any], name: str, statement: str, params: Mapping[str, Any]
) -> Seen:
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", statement)))
    numbered = re.sub(r"%\((\w+)\)s", lambda found: f"${names.index(found[1]) + 1}", statement)
    cursor = psycopg.ClientCursor(connection)
    given = cursor.mogrify(", ".join(["%s"] * len(names)), [params[each] for each in names])
    connection.execute(f"PREPARE explained AS {numbered}")
    run = f"EXECUTE explained ({given})"
    for _ in range(EXECUTIONS):
        connection.execute("SAVEPOINT before")
        connection.execute(run)
        connection.execute("ROLLBACK TO before")
    row = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {run}").fetchone()
    connection.execute("DEALLOCATE explained")
    assert row is not None
    [explained] = json.loads(row[0]) if isinstance(row[0], str) else row[0]
    plan = explained["Plan"]
    return Seen(
        name,
        _nodes(plan),
        plan["Shared Hit Blocks"] + plan["Shared Read Blocks"],
        explained["Execution Time"],
        tuple(sorted(_conditions(plan))),
    )


def _nodes(plan: Mapping[str, Any]) -> list[str]:
    """Node types from the top down with their rows; of like branches one is told, and how many."""
    index = f" {plan['Index Name']}" if "Index Name" in plan else ""
    here = f"{plan['Node Type']}{index} ({plan['Actual Rows'] * plan['Actual Loops']:,.0f})"
    below = [tuple(_nodes(child)) for child in plan.get("Plans", ())]
    told = [here]
    if len(below) > 4:
        return [*told, f"{len(below)} branches", *below[0]]
    for branch in below:
        told += branch
    return told


def _conditions(plan: Mapping[str, Any]) -> Iterator[str]:
    if "Index Cond" in plan:
        yield plan["Index Cond"]
    for child in plan.get("Plans", ()):
        yield from _conditions(child)
