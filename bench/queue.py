"""Claiming the next draft and paging the queue: 10 thousand generations against a million.

Three installations run side by side and are asked by turns, so that each round meets the same
machine: a small one, one with a hundred times the history, and one with a hundred times the queue.
`--ten-million` compares the small one with a single one of ten million, a million of which wait; it
takes about 40 GB of disk.
"""

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

import psycopg

from bench.clients import encode, send_all
from bench.drafts import Plan, fill
from bench.plans import Seen, explain_all
from bench.servers import Server, vaultcrm
from stubs.llm import llm_stub_process
from vaultcrm.controls.auth import hash_token

SMALL = "10 thousand, all wait"
_SMALL = {SMALL: Plan(generations=10_000, waiting=10_000, conversations=1_000)}
MILLION = _SMALL | {
    "1 million, 10 thousand wait": Plan(
        generations=1_000_000, waiting=10_000, conversations=10_000
    ),
    "1 million all wait": Plan(generations=1_000_000, waiting=1_000_000, conversations=10_000),
}
TEN_MILLION = _SMALL | {
    "10 million, 1 million wait": Plan(
        generations=10_000_000, waiting=1_000_000, conversations=100_000
    )
}
CALLS = 200
"""Calls of each kind, each by another person, so that each claim is of another draft."""
EVERYBODY, ONE = "all 20 creators", "one creator"


@dataclass(frozen=True)
class Measured:
    """Milliseconds at p50 by what was asked and by installation, plans, and the machine's load."""

    p50_ms: Mapping[tuple[str, str], Mapping[str, float]]
    plans: Mapping[str, Sequence[Seen]]
    loads: tuple[float, float]


def measure(plans: Mapping[str, Plan] = MILLION) -> Measured:
    """Fill an installation for each of `plans`, `SMALL` among them, and ask them by turns."""
    with ExitStack() as stack:
        stub = stack.enter_context(llm_stub_process())
        servers = {name: stack.enter_context(vaultcrm(stub.url, conversations=1)) for name in plans}
        for name, server in servers.items():
            fill(server, plans[name])
        requests = {
            (name, call, who): asked
            for name, server in servers.items()
            for who in (EVERYBODY, ONE)
            for call, asked in _requests(server, who).items()
        }
        before = os.getloadavg()[0]
        times: dict[tuple[str, str, str], list[float]] = {key: [] for key in requests}
        for call, who in {key[1:]: None for key in requests}:
            for number in range(CALLS):
                for name, server in servers.items():
                    request = requests[name, call, who][number]
                    times[name, call, who] += send_all(server, [request], 1).each
        loads = (before, os.getloadavg()[0])
        explained = {name: explain_all(server) for name, server in servers.items()}
    return Measured(
        {
            (call, who): {name: median(times[name, call, who]) * 1000 for name in servers}
            for call, who in {key[1:]: None for key in requests}
        },
        explained,
        loads,
    )


def _requests(server: Server, who: str) -> dict[str, list[bytes]]:
    """A page of 50 and a claim, as so many people ask for them."""
    tokens = _people(server, one_creator=who == ONE)
    claim = json.dumps({}).encode()
    return {
        "queue page of 50": [
            encode(server, "GET", "/api/ai/queue?limit=50", token=token) for token in tokens
        ],
        "claim next": [
            encode(server, "POST", "/api/ai/queue/claim", claim, token) for token in tokens
        ],
    }


_PEOPLE = """
WITH people AS (
    INSERT INTO users (id, email, name, role, all_creators, created_at)
    SELECT uuidv7(), token, token, 'chatter', NOT %(one_creator)s, now()
    FROM unnest(%(tokens)s::text[]) token
    RETURNING id, name
), assigned AS (
    INSERT INTO creator_assignments (user_id, creator_id, created_at)
    SELECT p.id, (SELECT id FROM creators ORDER BY id LIMIT 1), now()
    FROM people p WHERE %(one_creator)s
)
INSERT INTO api_tokens (id, token_hash, user_id, name, created_at)
SELECT uuidv7(), t.hash, p.id, 'bench', now()
FROM unnest(%(tokens)s::text[], %(hashes)s::bytea[]) t (token, hash)
JOIN people p ON p.name = t.token
"""


def _people(server: Server, *, one_creator: bool) -> list[str]:
    """Tokens of so many new chatters, who act for one creator or for all."""
    tokens = [f"bench-{'one' if one_creator else 'all'}-{number}" for number in range(CALLS)]
    params = {
        "tokens": tokens,
        "hashes": [hash_token(token) for token in tokens],
        "one_creator": one_creator,
    }
    with psycopg.connect(server.database_url, autocommit=True) as connection:
        connection.execute(_PEOPLE, params)
    return tokens


def rows(measured: Measured) -> list[tuple[str, str, str]]:
    """What, measured, to reach: a row each for the table."""
    found = []
    for (call, who), by_name in measured.p50_ms.items():
        told = "; ".join(
            f"{name}: {ms:.2f} ms ({ms / by_name[SMALL]:.2f} x)" for name, ms in by_name.items()
        )
        found.append((f"{call}, {who}, p50 of {CALLS}", told, "<= 1.5 x"))
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ten-million", action="store_true", help="needs 40 GB of disk")
    result = measure(TEN_MILLION if parser.parse_args().ten_million else MILLION)
    for row in rows(result):
        print(*row, sep=" | ")
    print("load", result.loads)
    for name, seen in result.plans.items():
        print(name)
        for one in seen:
            print("  ", one.told())
