"""`chef-push-jobs plan`: the plan of a stack as a picture, before anything runs. Contacts no cloud and no server."""
