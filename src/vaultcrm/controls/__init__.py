"""What keeps the system in hand: who may do what, flags, limits.

Pure decisions over values that the queries of `vaultcrm.db` bring; none imports another.
"""
