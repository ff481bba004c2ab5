"""What Prometheus is told of AI's effect: the last 30 days, by whom messages were written."""

from collections.abc import Mapping

from vaultcrm.controls.monitoring.exposition import Family, gauge
from vaultcrm.domain.effects import Effect
from vaultcrm.domain.estimates import Estimate


def of_effect(effect: Effect) -> list[Family]:
    """Gauges of a period; what needs more data is left out. No label says who somebody is."""
    sides = {writer.value: side for writer, side in effect.sides.items()}
    found = [
        gauge(
            "vaultcrm_compared_messages",
            "Messages of the last 30 days whose time for an answer is over.",
            {(writer,): side.messages for writer, side in sides.items()},
            "written_by",
        ),
        _interval(
            "vaultcrm_reply_ratio",
            "Share of them that were answered, with its 95 % interval.",
            {(writer,): side.reply_rate for writer, side in sides.items()},
            "written_by",
        ),
        _interval(
            "vaultcrm_conversion_ratio",
            "Share of those with a price that were bought, with its 95 % interval.",
            {(writer,): side.conversion for writer, side in sides.items()},
            "written_by",
        ),
        _interval(
            "vaultcrm_revenue_per_message_minor",
            "Mean revenue of a message in minor units, less refunds, with its 95 % interval.",
            {
                (writer, currency): mean
                for writer, side in sides.items()
                for currency, mean in side.revenue_per_message.items()
            },
            "written_by",
            "currency",
        ),
        _interval(
            "vaultcrm_engagement_change",
            "Messages a day of a fan, in the 14 days after the first AI message less those before.",
            {(): effect.engagement.change},
        ),
    ]
    if effect.seconds_saved is not None:
        found.append(
            gauge(
                "vaultcrm_time_saved_seconds",
                "What drafts of the last 30 days saved people, less what deciding took.",
                {(): effect.seconds_saved},
            )
        )
    return found


def _interval(
    name: str, text: str, values: Mapping[tuple[str, ...], Estimate | None], *labels: str
) -> Family:
    told = {
        (*key, bound): value
        for key, estimate in values.items()
        if estimate is not None
        for bound, value in (
            ("value", estimate.value),
            ("low", estimate.low),
            ("high", estimate.high),
        )
    }
    return gauge(name, text, told, *labels, "bound")
