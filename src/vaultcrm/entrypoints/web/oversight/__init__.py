"""Alerts, flags, limits in use and the audit log."""
