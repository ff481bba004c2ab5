"""Codes, times, findings and forms as people read and write them."""
