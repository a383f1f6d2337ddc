"""The whole product but for Pulumi: what a stack may say, what its servers are sent, what waits for what, the
command.
"""

__version__ = "0.1.0"
