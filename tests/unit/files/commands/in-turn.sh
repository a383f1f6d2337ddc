set -eu
(
echo one
exit 0
)
(
echo two
)
