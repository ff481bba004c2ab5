"""Care for fans: who is at risk, what chatters are told, and what stands beside a conversation."""
