opscode-push-jobs-server-ctl reconfigure
