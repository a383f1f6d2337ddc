"""Stand-in for pulumi-language-python: runs Python programs, policy packs and provider plugins for the engine.

    host.py        serves the engine's LanguageRuntime protocol
    toolchain.py   which Python runs the program: the `virtualenv` of Pulumi.yaml, made where it is missing
    program.py     runs the program in that Python, with the SDK installed there
    packages.py    run there too: lists what is installed

Real: the protocol, the SDK, the program's own interpreter, its output and its exit status, the interrupt that it gets,
and what pip installs where.

Left out: code generation, templates, packing, debuggers, the toolchains poetry and uv, and type checkers. A request for
them is refused.
"""
