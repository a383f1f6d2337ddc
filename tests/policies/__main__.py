"""python -m tests.policies: writes the tables of docs/policy.md again. A test compares."""

from tests.policies.table import DOCUMENT, document

if __name__ == "__main__":
    DOCUMENT.write_text(document(DOCUMENT.read_text()))
