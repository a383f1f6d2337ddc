# psql DATABASE STATEMENT: run it in Chef server's own PostgreSQL, through its socket, as its superuser.
psql() {
  (cd / && /opt/opscode/embedded/bin/chpst -u opscode-pgsql /opt/opscode/embedded/bin/psql \
    -X -q -t -A -v ON_ERROR_STOP=1 -d "$1" -c "$2")
}
