"""Starts the plugin: `python -m sandbox.plugins.command`."""

from sandbox.plugins.command.plugin import PLUGIN
from sandbox.plugins.framework import provider

provider.serve(PLUGIN)
