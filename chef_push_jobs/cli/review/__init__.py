"""`chef-push-jobs review`: a pending preview as a comment for a pull request, the most important things first."""
