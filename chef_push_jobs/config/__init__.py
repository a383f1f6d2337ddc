"""A stack's settings: what a stack file may hold, and every rule about it that needs no server and no cloud.

    stack_config.py    each setting with its type, default, description and rule: start here to add one
    parser.py          reads a file into it field by field, so that all mistakes are found at once
    settings.py        the checked settings, with what follows from them; rules that join several
    network_checks.py  more of those: network, bastion, load balancer
    chef_checks.py     and of those: what goes into chef-server.rb
    version_checks.py  and of those: versions that go together, and what each knows
    stack_files.py     finds and opens stack files; what is secret stays closed

The rest is derived from the settings and written by `chef-push-jobs docs`: the reference for people (`reference.py`),
the schema for editors (`editor_schema.py`), that of the Pulumi package (`package_schema.py`), and the Python types of
its arguments (`typed_dicts.py`, which writes `cluster_args.py`). Checks that need the plan are in `runbook/stack.py`.
"""
