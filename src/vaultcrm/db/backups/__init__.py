"""Backups: everything that a database holds, in one file, and back.

A backup is a zip archive, so that it can be opened without us: `database.dump` is what pg_dump
writes in its custom format (pg_restore reads it), `manifest.json` says what it is of and what each
table holds. The installation's key is not in it.

| module      | holds                                                            |
|-------------|------------------------------------------------------------------|
| `writing`   | `write_backup`: one snapshot, streamed into a new file           |
| `restoring` | `restore_backup`: into a fresh database, compared, then swapped  |
| `manifest`  | what a backup says of itself                                     |
| `tables`    | what each table holds, as a number of rows and a checksum        |
| `programs`  | pg_dump and pg_restore, and what they said when they failed      |

All functions block.
"""
