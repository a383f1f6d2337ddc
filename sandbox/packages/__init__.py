"""Stand-in Chef packages: real .deb files that behave as facts F1 to F11 say, for the sandbox and the tests only.

`host/` is the code that runs on servers, the directories named like packages are their file trees, `build.py` packs.
"""
