# Seconds of the monotonic clock, because the other clock may be set while a task runs.
now() { read -r up _ < /proc/uptime; echo "${up%.*}"; }
