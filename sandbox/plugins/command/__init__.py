"""Stand-in for pulumi-command 1.2.1: `remote.Command` and `remote.CopyToRemote` over real SSH.

    plugin.py      the resource types, and what create, update and delete run
    dial.py        connects: authentication, host keys, bastions, retries
    execution.py   runs one command on a connection
    sftp.py        copies a text, a file or a directory
    ssh_loop.py    the event loop that all connections share

Real: SSH and SFTP (asyncssh), when a resource is updated or replaced, retries while dialling, and what is logged. The
rules are taken from the official plugin's source.

Differs where the official plugin would only cost the sandbox: a connection is closed after its command, and a logged
line over 64 KiB is an error (the official plugin hangs).

Left out: local commands, and CopyFile, which is deprecated. Both are refused.
"""
