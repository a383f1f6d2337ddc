"""The command `chef-push-jobs`: a folder for each subcommand, with `command.py` as its entry point.

`app.py` puts them together and turns every error into one line and an exit status; all of them share `common.py`.
"""
