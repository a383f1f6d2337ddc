"""The code that runs on a server once a stand-in package is installed there, as `chef_standin`.

It needs what the hosts' Debian has (Python with psycopg2 and pyzmq, openssl, the services), and imports nothing of this
repository. Each package carries its own copy in `<prefix>/embedded/lib/`; modules therefore import each other
relatively.
"""
