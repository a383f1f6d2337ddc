"""A whole cloud on one Linux machine, for the README's first command and for the tests."""
