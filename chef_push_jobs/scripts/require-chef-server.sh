#!/bin/sh
# In place of an installation: fail unless the server's image already holds Chef server.
command -v chef-server-ctl || {
  echo "this image holds no Chef server: set chefServer.package, or choose an image that has it" >&2
  exit 1
}
