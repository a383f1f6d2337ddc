"""Starts the plugin: `python -m sandbox.plugins.aws`."""

from sandbox.plugins.aws.plugin import main

main()
