#!/bin/sh
set -eu
export LC_ALL=C
{
  find "$@" -type f -exec sha256sum {} +
  find "$@" -printf '%m %y %p\n'
} | sort
