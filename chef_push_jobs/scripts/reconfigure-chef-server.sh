#!/bin/sh
# Reconfigure Chef server itself.
chef-server-ctl reconfigure
