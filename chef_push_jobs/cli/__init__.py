"""The command `chef-push-jobs`: one folder for each of its subcommands."""
