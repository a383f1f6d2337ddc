"""Stand-in for pulumi-aws 7.51.1: the resource types and look-ups that this project uses, through boto3.

    plugin.py             the plugin, and its table of resource types
    kind.py               how a resource type is declared (`Kind`), and what Diff means for it
    api.py                clients from the provider's configuration, tags, errors in one sentence
    lookup.py, retries.py, propagation.py   helpers: find one resource, try again, wait until it is visible
    functions.py, plural_functions.py       look-ups: getVpc, getSubnets, …
    one module for each further resource type

It talks only to the endpoints that the configuration names, so it cannot reach a real account by mistake. It follows
the official plugin in what it sends, what it waits for, what it tries again, what replaces a resource, and which errors
it reports. Its waits are shorter: a wait of 15 minutes would only hide a wrong order on the sandbox.

Left out: all other types, and the inputs that no stack here sets, such as those for IPv6. They are refused by name.
"""
