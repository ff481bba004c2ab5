"""The database: an embedded or given PostgreSQL, its schema, and every statement.

`embedded` starts a server, `pool` connects, `migrate` brings the schema up, `tables` says what
kind each table is, and `queries/` holds all SQL, one module a subject. No SQL stands elsewhere.
"""
