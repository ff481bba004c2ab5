"""Who others say that somebody is."""
