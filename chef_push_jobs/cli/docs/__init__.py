"""`chef-push-jobs docs`: writes those parts of a project's documents that follow from its settings and stacks."""
