"""The creators' voices, with their versions."""
