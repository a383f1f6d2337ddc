"""How long a rollout takes with this project and with other tools; run by scripts/bench."""
