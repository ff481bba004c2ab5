"""A root stands for its leaves, and a proof for one of them and no other."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaultcrm.controls.audit.merkle import leaf_hash, levels_of, proof_of, root_from, root_of

ENTRIES = st.lists(st.binary(max_size=8), min_size=1, max_size=40)


def by_the_book(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, as it is written: split at the largest power of two below."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    both = by_the_book(leaves[:split]) + by_the_book(leaves[split:])
    return hashlib.sha256(b"\x01" + both).digest()


@given(ENTRIES)
def test_the_root_is_that_of_rfc_6962(entries: list[bytes]) -> None:
    leaves = [leaf_hash(entry) for entry in entries]
    assert root_of(leaves) == by_the_book(leaves)


def test_the_root_of_nothing_and_a_leaf_are_those_of_rfc_6962() -> None:
    nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert root_of([]).hex() == nothing
    empty_leaf = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert leaf_hash(b"").hex() == empty_leaf


@given(ENTRIES)
def test_the_proof_of_each_leaf_leads_to_the_root(entries: list[bytes]) -> None:
    leaves = [leaf_hash(entry) for entry in entries]
    levels = levels_of(leaves)
    for place, leaf in enumerate(leaves):
        proof = proof_of(levels, place)
        assert root_from(leaf, place, len(leaves), proof) == levels[-1][0]


@given(st.integers(2, 40), st.data())
def test_a_proof_is_good_for_no_other_leaf_place_size_or_length(
    size: int, data: st.DataObject
) -> None:
    leaves = [leaf_hash(bytes([number])) for number in range(size)]
    levels = levels_of(leaves)
    root = levels[-1][0]
    place = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(0, size - 1).filter(lambda one: one != place))
    proof = proof_of(levels, place)

    assert root_from(leaves[other], place, size, proof) != root
    assert root_from(leaves[place], other, size, proof) != root
    assert root_from(leaves[place], place, size, [*proof, root]) is None
    assert root_from(leaves[place], place, size, proof[:-1]) is None


@pytest.mark.parametrize("place", [-1, 3])
def test_a_place_outside_the_tree_has_no_proof(place: int) -> None:
    assert root_from(leaf_hash(b""), place, 3, []) is None
