"""Stand-in for pulumi-language-python: runs Python programs, policy packs and provider plugins for the engine.

    host.py          serves the engine's LanguageRuntime protocol
    interpreter.py   which Python runs the program: the `virtualenv` of Pulumi.yaml
    program.py       runs the program in that Python, with the SDK installed there

Real: the protocol, the SDK, the program's own interpreter, its output and its exit status.

Left out: code generation, templates, packing, debuggers, installing packages, the toolchains poetry and uv, and type
checkers. A request for them is refused.
"""
