#!/bin/sh
# manifest PATH...: the digest and mode of every file and folder under the paths, one a line, sorted.
set -eu
export LC_ALL=C
{
  find -H "$@" -type f -exec sha256sum {} +
  find -H "$@" -printf '%m %y %p\n'
} | sort
