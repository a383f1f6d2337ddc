"""python -m tests.policies: writes the tables of docs/policy.md again. A test compares."""

from sandbox.helped import help_if_asked
from tests.policies.table import DOCUMENT, document

if __name__ == "__main__":
    help_if_asked(__doc__)
    DOCUMENT.write_text(document(DOCUMENT.read_text()))
