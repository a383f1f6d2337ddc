# Whether something listens on a TCP port. The header line is removed here, because ss has no -H on Ubuntu 16.04.
listens() { ss -ltn "sport = :$1" | sed 1d | grep -q .; }
