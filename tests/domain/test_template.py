"""Templates: what is read in them, what is filled in, and what is never filled in."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaultcrm.domain.money import Money
from vaultcrm.domain.people import Tier
from vaultcrm.domain.template import (
    DAYS_OF_USES,
    NO_OUTCOMES,
    VARIABLES,
    TemplateFacts,
    TemplateOutcomes,
    TierOutcomes,
    fill_variables,
    place_of,
    read_stats,
    read_template,
    render_template_text,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TOM = TemplateFacts(
    fan_name="Tom",
    creator_name="Mia",
    last_purchase=Money(2500),
    last_purchase_at=NOW - timedelta(days=6, hours=3),
    last_message_at=NOW - timedelta(hours=30),
)
NOBODY = TemplateFacts(fan_name="", creator_name="")

texts = st.text(alphabet=st.sampled_from("ab {}|_\n\t") | st.characters(exclude_categories=["Cs"]))
variables = st.sampled_from(sorted(VARIABLES))
values = st.dictionaries(variables, texts)


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("Hey {fan_name}!", "Hey Tom!"),
        ("{creator_name} here", "Mia here"),
        ("Thanks for {last_purchase}", "Thanks for $25.00"),
        ("{days_since_last_purchase} days", "6 days"),
        ("{days_since_last_message} day", "1 day"),
        ("{{fan_name}} and {{ fan_name }} and { fan_name }", "Tom and Tom and Tom"),
        ("{fan_name|you}", "Tom"),
        ("No variables :} at all", "No variables :} at all"),
    ],
)
def test_every_variable_is_filled_in(text: str, filled: str) -> None:
    assert render_template_text(text, TOM, NOW).text == filled


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("Hey {fan_name|you}!", "Hey you!"),
        ("Hey { fan_name | lovely one }!", "Hey lovely one!"),
        ("Hey {fan_name|}!", "Hey!"),
        ("{fan_name|}, hi", ", hi"),
        ("{last_purchase|ein|zwei}", "ein|zwei"),
    ],
)
def test_a_fallback_stands_where_nothing_is_known(text: str, filled: str) -> None:
    rendered = render_template_text(text, NOBODY, NOW)

    assert (rendered.text, rendered.missing) == (filled, ())


def test_a_variable_without_value_or_fallback_stays_and_is_named_once() -> None:
    rendered = render_template_text(
        "{last_purchase} and {last_purchase}, {fan_name}: {days_since_last_message}", NOBODY, NOW
    )

    assert rendered.text == (
        "{last_purchase} and {last_purchase}, {fan_name}: {days_since_last_message}"
    )
    assert rendered.missing == ("last_purchase", "fan_name", "days_since_last_message")


@pytest.mark.parametrize("name", ["{creator_name}", "{fan_name|x}", "<b>{{fan_name}}</b>"])
def test_a_fans_name_is_never_read_for_variables(name: str) -> None:
    facts = TemplateFacts(fan_name=name, creator_name="Mia")

    assert render_template_text("Hey {fan_name}!", facts, NOW).text == f"Hey {name}!"


def test_a_name_of_several_lines_is_filled_in_as_one() -> None:
    facts = TemplateFacts(fan_name=" Tom\n\tof \x07York ", creator_name="Mia")

    assert render_template_text("Hey {fan_name}!", facts, NOW).text == "Hey Tom of York!"


def test_a_clock_that_runs_behind_counts_no_negative_days() -> None:
    facts = TemplateFacts("Tom", "Mia", last_message_at=NOW + timedelta(hours=2))

    assert render_template_text("{days_since_last_message}", facts, NOW).text == "0"


@pytest.mark.parametrize(
    ("text", "place", "told"),
    [
        ("Hey {fan_nme}!", "character 5", "did you mean {fan_name}?"),
        ("Hey {Fan_Name}!", "character 5", "did you mean {fan_name}?"),
        ("Hi\n  {discount}", "line 2, character 3", "there is no variable {discount}: there are"),
        ("Hi {}!", "character 4", "no name between the braces"),
        ("Hi {fan_name", "character 4", "“{fan_name” is not closed"),
        ("Hi {fan_name\nand more}", "character 4", "“{fan_name” is not closed"),
        ("Hi {fan_name {creator_name}", "character 4", "is not closed"),
        ("Hi 🦀 {{last_purchase", "character 6", "is not closed"),
        ("{", "character 1", "is not closed"),
    ],
)
def test_a_variable_that_is_unknown_or_not_closed_is_told_with_its_place(
    text: str, place: str, told: str
) -> None:
    stretches, [problem] = read_template(text)

    assert place_of(text, problem.start) == place
    assert told in problem.reason
    assert "".join(stretch.text for stretch in stretches) == text


def test_every_problem_of_a_text_is_told() -> None:
    _, problems = read_template("{a} {fan_name} {b|c} {")

    assert [problem.start for problem in problems] == [0, 15, 21]


@given(texts)
def test_the_parts_of_any_text_are_that_text(text: str) -> None:
    stretches, problems = read_template(text)

    assert "".join(stretch.text for stretch in stretches) == text
    assert all(0 <= one.start < one.end <= len(text) for one in problems)
    assert all(text[one.start] == "{" for one in problems)


@given(texts.filter(lambda text: "{" not in text), values)
def test_a_text_without_variables_is_left_as_it_is(text: str, known: dict[str, str]) -> None:
    assert fill_variables(text, known).text == text


@given(
    st.lists(st.tuples(texts.map(lambda t: t.replace("{", "").replace("}", "")), variables)),
    st.fixed_dictionaries({name: texts.filter(bool) for name in VARIABLES}),
)
def test_with_every_value_known_each_place_holds_its_value(
    written: list[tuple[str, str]], known: dict[str, str]
) -> None:
    text = "".join(f"{before}{{{name}}}" for before, name in written)
    filled = fill_variables(text, known)

    assert filled.text == "".join(before + known[name] for before, name in written)
    assert filled.missing == ()


@given(texts, values)
def test_what_is_missing_is_told_exactly_when_it_stands_in_the_text(
    text: str, known: dict[str, str]
) -> None:
    filled = fill_variables(text, known)

    assert set(filled.missing) == {one.variable for one in filled.stretches if one.is_missing}
    assert not set(filled.missing) & set(known)


def test_uses_are_told_day_by_day_with_today_at_the_end() -> None:
    stats = read_stats({"usesByDay": {"2026-11-22": 3, "2026-10-24": 2, "2026-10-23": 9}})
    by_day = stats.by_day(date(2026, 11, 22))

    assert (len(by_day), by_day[0], by_day[-1], sum(by_day)) == (DAYS_OF_USES, 2, 3, 5)


def test_nothing_is_told_of_replies_while_no_message_was_counted() -> None:
    assert (NO_OUTCOMES.reply_rate, NO_OUTCOMES.conversion) == (None, None)
    many = TierOutcomes(Tier.HIGH, "USD", 30, 20, 30, 3, 7500, 18_750_000)
    told = TemplateOutcomes((many,)) + TemplateOutcomes(
        (TierOutcomes(Tier.LOW, None, 10, 2, 0, 0),)
    )
    assert told.reply_rate is not None
    assert told.conversion is not None
    assert (told.reply_rate.value, told.conversion.value) == (0.55, 0.1)
    assert told.as_json()["revenueMinor"] == {"USD": 7500}
