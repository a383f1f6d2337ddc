"""`chef-push-jobs check`: each setting of a stack with its value, where that comes from, and every mistake."""
