"""Every SQL statement, one module a subject. A statement is a constant with a comment or a function
name that says what it is for; parameters go by name; results come back as domain values.
"""
