"""Trees of hashes: one root for many leaves, and short proofs that a leaf is one of them.

SHA-256 with the prefixes and the shape of RFC 6962, section 2.1: a leaf is hashed with 0x00 before
it, two nodes with 0x01, and a node without a neighbour goes up as it is.
"""

import hashlib
from collections.abc import Sequence


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes, in their order; for none the hash of nothing."""
    return levels_of(leaves)[-1][0] if leaves else hashlib.sha256(b"").digest()


def levels_of(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """The nodes of the tree, the leaves first and the root, alone, last. Needs a leaf."""
    levels = [list(leaves)]
    while len(below := levels[-1]) > 1:
        above = [_node(below[left], below[left + 1]) for left in range(0, len(below) - 1, 2)]
        if len(below) % 2:
            above.append(below[-1])
        levels.append(above)
    return levels


def proof_of(levels: Sequence[Sequence[bytes]], place: int) -> list[bytes]:
    """The neighbours that lead from the leaf at `place` up to the root, the lowest first."""
    path = []
    for nodes in levels[:-1]:
        if place ^ 1 < len(nodes):
            path.append(nodes[place ^ 1])
        place //= 2
    return path


def root_from(leaf: bytes, place: int, size: int, proof: Sequence[bytes]) -> bytes | None:
    """The root that a proof leads to, of a tree of `size` leaves; None where it does not fit."""
    if not 0 <= place < size:
        return None
    node, left = leaf, list(proof)
    while size > 1:
        if place % 2 or place + 1 < size:
            if not left:
                return None
            neighbour = left.pop(0)
            node = _node(neighbour, node) if place % 2 else _node(node, neighbour)
        place //= 2
        size = (size + 1) // 2
    return None if left else node


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
