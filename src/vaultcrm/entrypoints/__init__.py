"""The ways in: JSON API and webhooks, console pages, jobs, commands. Thin: each translates to and
from a workflow and decides nothing itself.
"""
