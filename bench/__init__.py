"""How long a rollout takes, by this project and by what people would use instead; run by scripts/bench."""
