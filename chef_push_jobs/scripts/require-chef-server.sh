#!/bin/sh
# Runs instead of an installation: fail unless the server's image contains Chef server.
command -v chef-server-ctl || {
  echo "this image does not contain Chef server: set chefServer.package, or choose an image that contains it" >&2
  exit 1
}
