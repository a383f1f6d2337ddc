"""Stand-in Chef packages: real .deb files that behave as docs/chef.md says, for the sandbox and the tests only.

`host/` is the code that runs on servers, the directories named like packages are their file trees, `build.py` packs.
Services are Debian's where it has them: the system of the hosts brings runit, PostgreSQL, nginx, keepalived and pyzmq.

    chef_server_ctl.py, chef_server.py    the commands, and reconfigure: start reading here
    services.py, database.py, nginx.py    runit, PostgreSQL, nginx
    keepalived.py, failover.py, aws.py    who is master, and what moves with that
    erchef.py, organizations.py           the Chef API, and the commands that use it
    push_jobs_ctl.py, push_jobs.py        push jobs: the commands, and reconfigure
    push_jobs_service.py, …_api.py, …_state.py, …_messages.py    its service
    pedant.py                             its test
    push_client.py, knife.py              what runs on nodes, and what their operators use
"""
