"""`chef-push-jobs plan`: the plan of a stack as a picture, before anything runs. No cloud, no server is asked."""
