"""The creators' accounts on platforms: connected, paused, resumed, removed."""
