"""The audit log that can be proven: `merkle` trees, `sealing` rows, `comparing` log and seals,
`exporting` with proofs. Nothing here asks a database.
"""
