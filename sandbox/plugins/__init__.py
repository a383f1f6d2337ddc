"""Stand-ins for Pulumi's plugins, used where the official ones cannot be had.

A machine that cannot reach Pulumi's releases builds the Pulumi CLI from source and runs it with these plugins. The
engine starts them through `bin/`, as it starts the official ones, and talks to them over the same gRPC protocol.

    language/    pulumi-language-python
    command/     pulumi-command 1.2.1
    aws/         pulumi-aws 7.51.1
    framework/   what the two resource plugins share
    bin/         the executables that the engine looks for

Each does what this project needs, as the official one does it, and refuses everything else with a sentence. The
contract tests run against whichever plugin is in use, and so show where the two differ. How one is chosen:
`sandbox.operator.plugins`.

Left out: schemas, components, parameters, listing, code generation, and resource types that no stack here has.
"""
