chef-server-ctl reconfigure
