"""The report: one HTML file with everything in it, for any browser, without scripts."""

from importlib import resources
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from vaultcrm.entrypoints.cli.simulation.charts import Line, against, bars, lines

Figures = dict[str, Any]


def page(figures: Figures, measured: Figures) -> str:
    """The report of a run through the pipeline, of what `figures` makes."""
    return _render(
        "page.html",
        f=figures,
        m=measured,
        charts={
            "days": _days(figures["days"]),
            "reliability": _reliability(figures["reliability"]["bins"]),
            "replies": _weeks(figures["weeks"], "replyChance", "Replies to 100 messages", 100),
            "offers": _weeks(figures["weeks"], "offerWorthMinor", "Dollars an offer", 0.01),
        },
    )


def learning_page(figures: Figures, measured: Figures) -> str:
    """The report of a world without pipeline, as `learning` makes it."""
    weeks = figures["weeks"]
    labels = [str(week["week"] + 1) for week in weeks]
    value = lines(
        [
            Line(kind, [100 * week["replyChance"][name] for week in weeks])
            for kind, name in (("one", "asItBegan"), ("two", "learned"), ("three", "oracle"))
        ],
        labels,
        title="Replies to 100 messages, week by week",
        show=_whole,
    )
    return _render(
        "learning.html",
        f=figures,
        m=measured,
        charts={"value": value, "reliability": _reliability(figures["reliability"]["bins"])},
    )


def _days(days: list[Figures]) -> Markup:
    return bars(
        [
            Line(kind, [day[name] for day in days])
            for kind, name in (("one", "automatic"), ("two", "approved"), ("three", "byHand"))
        ],
        [str(day["day"] + 1) for day in days],
        title="Messages that reached fans, day by day",
        show=_whole,
    )


def _reliability(rows: list[Figures]) -> Markup:
    total = sum(row["drafts"] for row in rows) or 1
    points = [("one", row["confidence"], row["true"], row["drafts"] / total) for row in rows] + [
        ("two", row["confidence"], row["approved"], row["decided"] / total)
        for row in rows
        if row["approved"] is not None
    ]
    return against(
        points,
        title="Confidence against the true probability",
        across="confidence",
        up="approved unchanged",
    )


def _weeks(weeks: list[Figures], what: str, title: str, scale: float) -> Markup:
    def scaled(name: str) -> list[float | None]:
        values = [week[what][name] for week in weeks]
        return [None if value is None else scale * value for value in values]

    return lines(
        [
            Line(kind, scaled(name))
            for kind, name in (("one", "asItWent"), ("two", "oracle"), ("three", "withoutAi"))
        ],
        [str(week["week"] + 1) for week in weeks],
        title=f"{title}, week by week",
        show=_whole,
    )


def _whole(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def _render(name: str, **values: Any) -> str:
    folder = resources.files("vaultcrm.entrypoints.cli.simulation")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters.update(
        percent=_percent, dollars=_dollars, count=_count, words=_words, seconds=_seconds
    )
    style = Markup(folder.joinpath("page.css").read_text(encoding="utf-8"))  # noqa: S704 - ours
    source = folder.joinpath(name).read_text(encoding="utf-8")
    return environment.from_string(source).render(style=style, **values) + "\n"


def _percent(share: float | None) -> str:
    return "not enough data" if share is None else f"{100 * share:.1f}\u00a0%"


def _dollars(minor: float | None) -> str:
    if minor is None:
        return "not enough data"
    return f"-${-minor / 100:,.2f}" if minor < 0 else f"${minor / 100:,.2f}"


def _count(number: float | None) -> str:
    return "not enough data" if number is None else f"{number:,}"


def _words(code: str) -> str:
    return code.replace("_", " ")


def _seconds(value: float | None) -> str:
    return "not enough data" if value is None else f"{value * 1000:,.1f} ms"
