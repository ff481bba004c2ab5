"""What row-level security costs: the same statements with the policies and without them.

    python -m bench.row_security

The statements of the queue, the inbox, a draft and the dashboard are prepared and explained in the
application's role over one database, by turns: with the policies taken down, as somebody who sees
every creator, and as somebody who sees two. Where indexes are asked for less, plans
are told in full.
"""

import argparse
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier

from bench.drafts import Plan, fill
from bench.plans import Seen, explain, queue_statements
from bench.servers import vaultcrm
from stubs.llm import llm_stub_process
from vaultcrm.db.queries import activity, console, inbox, metrics, queue, situations
from vaultcrm.db.queries.inbox import InboxView, Show
from vaultcrm.db.queries.queue import Selection
from vaultcrm.db.roles import APPLICATION_ROLE
from vaultcrm.db.row_scope import EVERYTHING, SEE, scope_of_creators
from vaultcrm.db.row_security import tables_without_policy
from vaultcrm.db.tables import TENANT_TABLES
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.metrics import Period
from vaultcrm.domain.rollups import floor_day, pieces_of

Connection = psycopg.Connection[Any]
WITHOUT, ALL, TWO = "without policies", "sees all", "sees two creators"
ROUNDS = 9


@dataclass(frozen=True)
class Compared:
    """One statement: its plan, and the median of milliseconds, by who asks."""

    plans: Mapping[str, Seen]
    ms: Mapping[str, float]


def compare(database_url: str) -> dict[str, Compared]:
    """Each statement in each of the three ways, by turns."""
    with psycopg.connect(database_url) as connection:
        if missing := tables_without_policy(connection):
            raise RuntimeError(f"tables without policies: {', '.join(missing)}")
        creators = [row[0] for row in connection.execute("SELECT id FROM creators ORDER BY id")]
        statements = dict(_statements(connection, creators[:2]))
        scopes = {
            WITHOUT: EVERYTHING,
            ALL: EVERYTHING,
            TWO: scope_of_creators(frozenset(creators[:2])),
        }
        seen: dict[str, dict[str, list[Seen]]] = {}
        for _ in range(ROUNDS):
            for who, scope in scopes.items():
                with _as_application(connection, scope, walled=who is not WITHOUT):
                    for name, (statement, params) in statements.items():
                        found = explain(connection, name, statement, params)
                        connection.execute("ROLLBACK TO explained")
                        seen.setdefault(name, {}).setdefault(who, []).append(found)
    return {
        name: Compared(
            {who: found[-1] for who, found in by_who.items()},
            {who: median(each.ms for each in found) for who, found in by_who.items()},
        )
        for name, by_who in seen.items()
    }


@contextmanager
def _as_application(connection: Connection, scope: str, *, walled: bool) -> Iterator[None]:
    """In a transaction that is undone: the application's role, and perhaps no policies."""
    if not walled:
        for table in sorted(TENANT_TABLES):
            take_down = SQL("ALTER TABLE {} DISABLE ROW LEVEL SECURITY")
            connection.execute(take_down.format(Identifier(table)))
    connection.execute(SQL("SET LOCAL ROLE {}").format(Identifier(APPLICATION_ROLE)))
    connection.execute(SEE, (scope,))
    connection.execute("SAVEPOINT explained")
    try:
        yield
    finally:
        connection.rollback()


def _statements(
    connection: Connection, creators: list[Any]
) -> Iterator[tuple[str, tuple[str, Mapping[str, Any]]]]:
    now = datetime.now(UTC)
    yield from queue_statements(connection, creators).items()
    [(conversation_id, fan_id)] = connection.execute(
        "SELECT id, fan_id FROM conversations WHERE creator_id = %s LIMIT 1", (creators[0],)
    )
    situation = {
        "creator_id": creators[0], "conversation_id": conversation_id, "fan_id": fan_id,
        "month_ago": now - timedelta(days=30), "quarter_ago": now - timedelta(days=90),
    }  # fmt: skip
    yield "situation of a draft", (situations.SITUATION, situation)
    for before in (None, now - timedelta(days=1)):
        said = {
            "creator_id": creators[0], "conversation_id": conversation_id, "before": before,
            "before_id": NIL, "limit": 50,
        }  # fmt: skip
        yield f"thread, {'newest' if before is None else 'before'}", (console.THREAD, said)
    for after in (None, (100, now, NIL)):
        chosen = Selection(tuple(creators), NIL)
        where = "first page" if after is None else "a page further on"
        yield f"queue, {where}", queue.page_statement(chosen, now, 50, after)
    yield "repertoire", (situations.REPERTOIRE, {"creator_id": creators[0]})
    for show in Show:
        for behind in (None, (now - timedelta(days=1), NIL)):
            where = "first page" if behind is None else "a page further on"
            yield (
                f"inbox, {show.value}, {where}",
                inbox.list_statement(
                    InboxView(tuple(creators), show),
                    now=now,
                    behind=behind,
                    backwards=False,
                    limit=50,
                ),
            )
    yield (
        "inbox, searched by name",
        inbox.list_statement(
            InboxView(tuple(creators), search="fan77"),
            now=now,
            behind=None,
            backwards=False,
            limit=50,
        ),
    )
    looked = {"creator_ids": creators, "latest": activity.LATEST, "now": now, "nil": NIL}
    yield "what has changed", (activity.ACTIVITY, looked)
    period = Period(floor_day(now) - timedelta(days=30), now)
    pieces = [
        piece for each in creators for piece in pieces_of(each, period.start, period.end, None)
    ]
    for table, statement in metrics.STATEMENTS.items():
        asked_of = metrics.params_of(pieces, period.start, period.end)
        yield f"dashboard, {table}", (statement, asked_of)


def main() -> None:
    """Fill a database, compare, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--generations", type=int, default=200_000)
    parser.add_argument("--conversations", type=int, default=20_000)
    given = parser.parse_args()
    plan = Plan(given.generations, 10_000, conversations=given.conversations)
    with llm_stub_process() as stub, vaultcrm(stub.url, conversations=1) as server:
        fill(server, plan)
        compared = compare(server.database_url)
    for name, one in compared.items():
        times = ", ".join(
            f"{who} {ms:.3f} ms ({ms / one.ms[WITHOUT]:.2f} x)" for who, ms in one.ms.items()
        )
        print(f"{name}: {times}")
        if len({_shape(seen) for seen in one.plans.values()}) > 1:
            for who, seen in one.plans.items():
                print(f"    {who}: {seen.told()}")
                print(f"        indexes are asked: {'; '.join(seen.conditions)}")


def _shape(seen: Seen) -> tuple[str, ...]:
    """The indexes that are used, and what they are asked; the settings that policies read are no
    difference.
    """
    return tuple(re.sub(r"\(?InitPlan \d+\)?\.col1|\$\d+", "?", each) for each in seen.conditions)


if __name__ == "__main__":
    main()
