"""`chef-push-jobs doctor`: compares a stack's servers and firewall with its settings. It changes nothing."""
