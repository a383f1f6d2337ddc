"""The framework of the resource plugins: Pulumi's ResourceProvider protocol over a table of resource types.

    table.py           what a plugin declares: `Plugin`, `ResourceType`, `Input`, `Call`
    provider.py        serves the table
    inputs.py          checks inputs against the table
    diff.py            what differs between old and new inputs, and whether it replaces the resource
    preview.py         the outputs that a preview shows
    configuration.py   a provider's configuration on the wire
    values.py          property values as plain Python: unknowns, secrets, assets
    process.py         a plugin as a process: its server, the engine's log, its end
    protocol.py        Pulumi's generated messages, without loading the SDK

A plugin imports `sandbox.plugins.framework` and nothing else of the sandbox. It starts in 0.2 s, so botocore and
asyncssh are imported when a function first needs them.

Left out: schemas, components (Construct, Call), parameters, listing and mappings. Requests for them are refused.
"""
