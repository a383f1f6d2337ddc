"""The command `chef-push-jobs`: a folder for each of its subcommands, with `command.py` as the way in.

`app.py` puts them together and turns every error into one line and an exit status; `common.py` has what all share.
"""
