"""What a reviewer needs to know of a pending preview: a pull request's comment, the worst first."""
