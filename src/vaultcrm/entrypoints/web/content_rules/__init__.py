"""Content rules: what a creator's team adds to the content filter and excepts from it."""
