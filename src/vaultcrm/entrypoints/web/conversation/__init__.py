"""One conversation: its thread, fan and composer, and drafts as they are written."""
