"""Who gets what: shares that are kept, and a variant that stays the fan's."""

from collections import Counter
from random import Random
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from vaultcrm.domain.experiments import Allocation, RunningTest, VariantKind
from vaultcrm.pipeline.experiments.assignment import assign, share_of_fans, variant_for

TEST = UUID(int=7)
SHARES = {"A": 0.2, "B": 0.5, "C": 0.3}
RANDOM = Random(1)  # noqa: S311 -- fans, no secret
FANS = [UUID(int=RANDOM.getrandbits(128)) for _ in range(4_000)]


def running(**changes: object) -> RunningTest:
    known: dict[str, object] = {
        "id": TEST,
        "kind": VariantKind.PROMPT,
        "allocation": Allocation.FIXED,
        "epoch": 1,
        "shares": SHARES,
        "references": {"A": "one", "B": "two", "C": "three"},
    }
    return RunningTest(**(known | changes))  # type: ignore[arg-type]


def test_fans_are_shared_out_by_the_weights() -> None:
    found = Counter(variant_for(TEST, fan, SHARES) for fan in FANS)
    for name, share in SHARES.items():
        assert abs(found[name] / len(FANS) - share) < 4 * (share / len(FANS)) ** 0.5


def test_a_fan_gets_what_another_process_and_another_release_would_give_them() -> None:
    """Stored: a change here would give running tests' fans other variants."""
    assert [variant_for(TEST, UUID(int=number), SHARES) for number in range(8)] == [
        "A", "B", "A", "B", "B", "B", "A", "C",
    ]  # fmt: skip


def test_when_a_variant_is_taken_out_only_its_own_fans_get_another() -> None:
    left = share_of_fans({name: share for name, share in SHARES.items() if name != "B"})
    before = {fan: variant_for(TEST, fan, SHARES) for fan in FANS}
    after = {fan: variant_for(TEST, fan, left) for fan in FANS}
    assert all(after[fan] == name for fan, name in before.items() if name != "B")
    moved = Counter(after[fan] for fan, name in before.items() if name == "B")
    assert 0.3 < moved["A"] / sum(moved.values()) < 0.5, "shared out as A and C are to each other"


def test_two_tests_share_the_same_fans_out_differently() -> None:
    halves = {"A": 0.5, "B": 0.5}
    both = Counter(
        (variant_for(TEST, fan, halves), variant_for(UUID(int=8), fan, halves)) for fan in FANS
    )
    assert len(both) == 4
    assert min(both.values()) > len(FANS) / 5


def test_what_a_fan_has_got_of_changing_shares_stays_with_its_probability() -> None:
    changing = running(allocation=Allocation.THOMPSON, seen={"A": 0.9})
    kept = assign(changing, FANS[0])
    assert kept is not None
    assert (kept.variant, kept.propensity, kept.reference, kept.first) == ("A", 0.9, "one", False)
    new = assign(running(allocation=Allocation.THOMPSON), FANS[0])
    assert new is not None
    assert new.first
    gone = assign(running(allocation=Allocation.THOMPSON, seen={"Z": 0.5}), FANS[0])
    assert gone is not None
    assert gone.variant in SHARES


def test_without_a_variant_nobody_is_assigned_any() -> None:
    assert assign(running(shares={}), FANS[0]) is None


@given(st.dictionaries(st.text(max_size=5), st.floats(1e-3, 1e3), min_size=1, max_size=6))
def test_shares_sum_to_one_whatever_the_weights(weights: dict[str, float]) -> None:
    shares = share_of_fans(weights)
    assert abs(sum(shares.values()) - 1) < 1e-9
    assert variant_for(TEST, FANS[0], shares) in weights
