"""What a week of outcomes costs to learn from: time and memory at 100 thousand, 300 thousand and a
million.

    python -m bench.learning

One creator, one week, one database of its own on this machine. Each size is gathered in a process
of its own, so that its greatest resident memory is its own; both are compared with the smallest.
"""

import asyncio
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import psycopg

from vaultcrm.bootstrap import open_parts
from vaultcrm.db.embedded import start_embedded
from vaultcrm.db.migrate import upgrade
from vaultcrm.db.queries.learning import start_of
from vaultcrm.settings import Settings
from vaultcrm.workflows.gather_week import gather
from vaultcrm.workflows.learn_weekly import last_settled_week

SIZES = (100_000, 300_000, 1_000_000)
FANS = 2_000
CREATOR = UUID(int=7)

_PEOPLE = """
INSERT INTO creators (id, handle, display_name, language, region, created_at)
VALUES (%(creator)s, 'mia', 'Mia', 'en', 'US', %(start)s);
"""
_FANS = """
INSERT INTO fans (creator_id, id, handle, display_name, tier, lifetime_value_minor, currency, notes,
                  created_at)
SELECT %(creator)s, md5('f' || n)::uuid, 'fan' || n, 'Fan' || n,
       (ARRAY['whale', 'high', 'medium', 'low'])[1 + n %% 4], 0, 'USD', '', %(start)s
FROM generate_series(1, %(fans)s) n
"""
_TEXT = """
    concat_ws(' ',
        (ARRAY['Hey you,', 'Good morning,', 'Hello there,', 'Oh, I did not see that coming,'])
            [1 + n %% 4],
        (ARRAY['that sounds like a long day.', 'I was at the beach with a book.',
               'the rain has not stopped since breakfast.'])[1 + n / 4 %% 3],
        (ARRAY['Tell me more', 'What happened then', 'Take it easy tonight', 'More soon',
               'I will think of you at the market'])[1 + n / 12 %% 5],
        'word' || n %% 9973,
        CASE WHEN n %% 2 = 0 THEN '?' ELSE '.' END)
"""
_MESSAGES = f"""
INSERT INTO messages (creator_id, id, conversation_id, sender, author, generation_id, external_id,
                      text, sent_at)
SELECT %(creator)s, md5('m' || n)::uuid, md5('f' || 1 + n %% %(fans)s)::uuid, 'creator',
       'ai_approved', NULL, n::text, {_TEXT}, %(start)s + n * %(step)s
FROM generate_series(1, %(messages)s) n
"""  # noqa: S608 -- constants of this module
_OUTCOMES = """
INSERT INTO message_outcomes (creator_id, id, conversation_id, fan_id, author, tier, sent_at,
                              settled_at, price_minor, currency, replied, purchased, revenue_minor,
                              refunded_minor, currencies_differ, updated_at)
SELECT %(creator)s, md5('m' || n)::uuid, md5('f' || f)::uuid, md5('f' || f)::uuid, 'ai_approved',
       (ARRAY['whale', 'high', 'medium', 'low'])[1 + f %% 4], at, at + interval '1 day',
       CASE WHEN n %% 5 = 0 THEN 1500 END, 'USD', n %% 7 < 2, n %% 25 = 0,
       CASE WHEN n %% 25 = 0 THEN 1500 ELSE 0 END, 0, false, at
FROM (SELECT n, 1 + n %% %(fans)s AS f, %(start)s + n * %(step)s AS at
      FROM generate_series(1, %(messages)s) n) made
"""


@dataclass(frozen=True)
class Gathered:
    """Seconds that a week took, those of the process's own CPU (without PostgreSQL's), and its
    greatest resident memory in megabytes.
    """

    messages: int
    seconds: float
    cpu_seconds: float
    megabytes: float


@contextmanager
def _filled(messages: int) -> Iterator[str]:
    """The address of a database with so many outcomes in the last settled week."""
    home = Path(tempfile.mkdtemp(prefix="vaultcrm-bench-"))
    try:
        with start_embedded(home, durable=False) as server:
            url = server.url()
            upgrade(url)
            _fill(url, messages)
            yield url
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _fill(url: str, messages: int) -> None:
    settings = Settings(_env_file=None, database_url=url)

    async def week_start() -> object:
        async with open_parts(settings) as parts:
            return start_of(last_settled_week(parts))

    numbers = {
        "creator": CREATOR,
        "start": asyncio.run(week_start()),
        "fans": FANS,
        "messages": messages,
        "step": timedelta(days=7) / (messages + 1),
    }
    with psycopg.connect(url, autocommit=True) as connection:
        # Rows of people who are not there: what is measured reads fans, messages and outcomes.
        connection.execute("SET session_replication_role = replica")
        for statement in (_PEOPLE, _FANS, _MESSAGES, _OUTCOMES):
            connection.execute(statement, numbers)
        connection.execute("VACUUM (ANALYZE) messages, message_outcomes, fans")


async def _gather(url: str) -> tuple[float, float]:
    async with open_parts(Settings(_env_file=None, database_url=url)) as parts:
        began, used = time.perf_counter(), time.process_time()
        await gather(parts, CREATOR, last_settled_week(parts))
        return time.perf_counter() - began, time.process_time() - used


def measure(sizes: tuple[int, ...] = SIZES) -> list[Gathered]:
    """Each size in a database and a process of its own."""
    found = []
    for messages in sizes:
        with _filled(messages) as url:
            ran = subprocess.run(
                [sys.executable, "-m", "bench.learning", "--gather", url],
                capture_output=True,
                text=True,
                check=True,
            )
            seconds, cpu_seconds, kilobytes = json.loads(ran.stdout.splitlines()[-1])
        found.append(Gathered(messages, seconds, cpu_seconds, kilobytes / 1024))
    return found


def told(found: list[Gathered]) -> list[str]:
    """A line a size, with its ratios to the smallest."""
    first = found[0]
    return [
        f"{one.messages:>9,} outcomes: {one.seconds:6.1f} s, {one.cpu_seconds:.1f} s of CPU "
        f"({one.cpu_seconds / first.cpu_seconds:.2f} x for {one.messages / first.messages:g} x as "
        f"many), {one.megabytes:.0f} MB "
        f"({one.megabytes / first.megabytes:.2f} x)"
        for one in found
    ]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--gather"]:
        took = asyncio.run(_gather(sys.argv[2]))
        print(json.dumps([*took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
    else:
        print("\n".join(told(measure())))
