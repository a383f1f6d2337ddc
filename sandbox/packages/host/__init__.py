"""The code that runs on a server once a stand-in package is installed there, as `chef_standin`.

It needs Debian's Python and openssl, nothing else, and imports nothing of this repository. Each package carries its own
copy in `<prefix>/embedded/lib/`; modules therefore import each other relatively.
"""
