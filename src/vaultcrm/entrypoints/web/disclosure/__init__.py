"""What fans are told about AI: the wordings, and with each fan what they were told and when."""
