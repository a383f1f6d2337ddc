"""What the engine did: its event log, read by one reader, and the rollout that the events make."""
