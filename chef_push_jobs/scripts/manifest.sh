#!/bin/sh
# manifest PATH...: print the digest and mode of every file and directory below the paths, one per line, sorted.
set -eu
export LC_ALL=C
{
  find -H "$@" -type f -exec sha256sum {} +
  find -H "$@" -printf '%m %y %p\n'
} | sort
