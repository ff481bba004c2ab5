"""The page of weekly learning."""
