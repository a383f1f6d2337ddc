# Seconds of the monotonic clock: the other one may be set while a task runs.
now() { read -r up _ < /proc/uptime; echo "${up%.*}"; }
