"""What a stack file may hold: its settings, their rules, and the one parser."""
