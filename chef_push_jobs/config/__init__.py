"""A stack's settings: what a stack file may contain, and every rule that needs no server and no cloud.

    stack_config.py    each setting with its type, default, description and rule: start here to add one
    parser.py          reads a file into it field by field, so that all mistakes are found at once
    settings.py        the checked settings, and what follows from them; rules about several settings
    network_checks.py  more such rules: network, bastion, load balancer
    chef_checks.py     more such rules: the content of chef-server.rb
    version_checks.py  more such rules: versions that work together, and what each supports
    stack_files.py     finds and reads stack files, without decrypting secrets

The rest is derived from the settings and written by `chef-push-jobs docs`: the reference for people (`reference.py`),
the schema for editors (`editor_schema.py`), the Pulumi package's (`package_schema.py`), and the Python types of
its arguments (`typed_dicts.py`, which writes `cluster_args.py`). Checks that need the plan are in `runbook/stack.py`.
"""
