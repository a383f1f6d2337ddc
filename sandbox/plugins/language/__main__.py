"""Starts the plugin: `python -m sandbox.plugins.language`."""

from sandbox.plugins.language.host import main

main()
