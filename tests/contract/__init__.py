"""What the plugins promise, tested from outside: the same tests run against the stand-ins and the official plugins."""
