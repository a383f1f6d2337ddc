opscode-push-jobs-server-ctl test
