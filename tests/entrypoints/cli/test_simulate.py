"""`vaultcrm simulate` from a terminal."""

import json
import signal
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import psycopg

from tests.entrypoints.cli.running import COMMAND, environment, in_process, wait_until
from tests.support.databases import Databases

SMALL = ("--creators", "2", "--fans", "4", "--days", "1", "--seed", "3", "--no-guarantee")


PATIENCE_SECONDS = 240
"""Three processes begin, on a machine that may have much else to do."""


class Page(HTMLParser):
    """What a report is made of: its words, and what it would fetch from elsewhere."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words = ""
        self.fetched: list[str] = []
        self.tags: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [str(value) for name, value in attrs if name in {"src", "href"}]

    def handle_data(self, data: str) -> None:
        self.words += data


def arguments(url: str, home: Path) -> tuple[str, ...]:
    """A small world on a database, with its figures on standard output."""
    report = ("--json", "--out", str(home / "report.html"))
    return ("simulate", *SMALL, "--database-url", url, *report)


def figures(status: int, printed: str, errors: str) -> dict[str, Any]:
    """The figures of a run, which must have come out well."""
    assert status == 0, errors
    found: dict[str, Any] = json.loads(printed)
    return found


def test_the_same_seed_gives_the_same_figures_whatever_shares_the_work(
    database_server: Databases, home: Path
) -> None:
    with database_server.fresh() as url:
        done = in_process({"VAULTCRM_HOME": str(home)}, *arguments(url, home))
        first = figures(done.returncode, done.stdout, done.stderr)
    with database_server.fresh() as url:
        shared = subprocess.run(
            [COMMAND, *arguments(url, home), "--jobs", "2"],
            env=environment(home),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )
        second = figures(shared.returncode, shared.stdout, shared.stderr)
    assert first.pop("measured")["messages"] == second.pop("measured")["messages"] > 0
    assert first == second
    assert first["complete"]
    assert all(each["holds"] for each in first["invariants"])
    totals, fates = first["totals"], first["decisions"]["byFate"]
    assert sum(fates.values()) == totals["drafts"] == first["filter"]["drafts"]
    assert sum(row["drafts"] for row in first["reliability"]["bins"]) == totals["drafts"]
    assert sum(day["automatic"] for day in first["days"]) == totals["automatic"]
    assert sum(week["messages"] + week["offers"] for week in first["weeks"]) == totals["sent"]
    page = Page((home / "report.html").read_text())
    assert page.fetched == []
    assert "script" not in page.tags
    assert page.tags.count("svg") == 4
    assert "✓ All 8 invariants hold." in page.words
    assert f"{totals['fanMessages']:,}" in page.words


def test_ctrl_c_ends_a_world_in_order_with_a_report_of_what_is_there(
    database_url: str, home: Path
) -> None:
    report = home / "report.html"
    process = subprocess.Popen(
        [
            *(COMMAND, "simulate", "--creators", "1", "--fans", "20", "--days", "700"),
            *("--database-url", database_url, "--out", str(report)),
        ],
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        with psycopg.connect(database_url, autocommit=True) as owner:

            def has_sent() -> bool:
                row = owner.execute("SELECT count(*) FROM outbox").fetchone()
                return row is not None and row[0] > 3

            wait_until(has_sent, "the world to have begun")
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=PATIENCE_SECONDS)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, errors
    assert "Stopped after" in said
    assert "BROKEN" not in said
    assert "Stopped early" in Page(report.read_text()).words


def test_a_database_with_creators_in_it_is_refused(database_url: str, home: Path) -> None:
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(
            "INSERT INTO creators (id, handle, display_name, language, region, created_at) "
            "VALUES (gen_random_uuid(), 'mia', 'Mia', 'en', 'US', now())"
        )
    done = in_process(
        {"VAULTCRM_HOME": str(home)},
        *("simulate", *SMALL, "--database-url", database_url),
        *("--out", str(home / "report.html")),
    )
    assert done.returncode == 2
    assert "holds creators already" in done.stderr
    assert not (home / "report.html").exists()


def test_learning_alone_closes_part_of_the_gap_and_finds_none_where_nothing_matters(
    home: Path,
) -> None:
    def learned(preset: str) -> dict[str, Any]:
        done = in_process(
            {"VAULTCRM_HOME": str(home)},
            *("simulate", "--learning-only", "--preset", preset, "--creators", "5"),
            *("--fans", "20", "--days", "56", "--json", "--out", str(home / "learning.html")),
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        del found["measured"]
        return found

    standard = learned("standard")
    assert standard == learned("standard")
    assert len(standard["weeks"]) == 8
    assert 0.3 < standard["gapClosed"] <= 1
    for week in standard["weeks"]:
        assert week["replyChance"]["learned"] <= week["replyChance"]["oracle"]
    assert learned("nothing_matters")["gapClosed"] is None
    assert Page((home / "learning.html").read_text()).fetched == []
