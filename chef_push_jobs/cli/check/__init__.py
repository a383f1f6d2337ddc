"""`chef-push-jobs check`: each setting of a stack, its value and where that is from, and all that is wrong."""
