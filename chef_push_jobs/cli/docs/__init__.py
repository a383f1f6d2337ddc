"""`chef-push-jobs docs`: what a project's documents say of the settings and of its stacks, written from these."""
