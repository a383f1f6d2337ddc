"""The record of a rollout, as one HTML page for everybody."""
