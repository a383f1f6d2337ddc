command -v chef-server-ctl || { echo 'this image holds no Chef server: set chefServer.package, or choose an image that has it' >&2; exit 1; }
