"""`chef-push-jobs doctor`: whether a stack's servers and firewall are as the stack says. It changes nothing."""
