"""What the packet filters of servers that exist already look like, and whether the ports of push jobs pass them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from chef_push_jobs import scripts

OPEN = "tcp dport { 10000, 10002-10003 } accept"
FIREWALLD = """\
table inet firewalld {
	chain filter_INPUT {
		type filter hook input priority filter + 10; policy accept;
		ct state { established, related } accept
		jump filter_INPUT_ZONES
		reject with icmpx admin-prohibited
	}
	chain filter_IN_public_allow {
		tcp dport 22 accept
		RULE
	}
}
"""
RHEL = """\
*filter
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
RULE
-A INPUT -j REJECT --reject-with icmp-host-prohibited
COMMIT
"""
POLICY = """\
table ip filter {
	chain INPUT {
		type filter hook input priority filter; policy drop;
		RULE
	}
}
"""
FORWARD = """\
table ip filter {
	chain INPUT {
		type filter hook input priority filter; policy accept;
	}
	chain FORWARD {
		type filter hook forward priority filter; policy drop;
		counter packets 0 bytes 0 drop
	}
}
"""
NFT_CASES = [
    (POLICY, "", 1),
    (POLICY, OPEN, 0),
    (POLICY, "udp dport 10000-10003 accept", 1),
    (POLICY, "tcp dport 10000-10003 drop", 1),
    (POLICY, "tcp dport { 10000, 10003 } accept", 1),
    (POLICY, "ip saddr 10.1.0.0/24 tcp dport 10000-10003 counter packets 0 bytes 0 accept", 0),
    (FIREWALLD, "", 1),
    (FIREWALLD, OPEN, 0),
    (FORWARD, "", 0),
    ("", "", 0),
]
IPTABLES_CASES = [
    (RHEL, "", 1),
    (RHEL, "-A INPUT -p tcp -m multiport --dports 10000,10002:10003 -j ACCEPT", 0),
    (RHEL, "-A INPUT -p tcp -m tcp --dport 10000:10003 -j REJECT", 1),
    (RHEL.replace(":INPUT ACCEPT", ":INPUT DROP"), "", 1),
    (RHEL.replace("-A INPUT -j REJECT --reject-with icmp-host-prohibited\n", ""), "", 0),
]
CASES = [("nft", *case) for case in NFT_CASES] + [("iptables-save", *case) for case in IPTABLES_CASES]


@pytest.mark.parametrize(("tool", "told", "rule", "status"), CASES)
def test_a_filter_that_keeps_out_needs_a_rule_that_lets_each_port_in(
    tmp_path: Path, tool: str, told: str, rule: str, status: int
) -> None:
    for name in ("nft", "iptables-save"):
        text = told.replace("RULE", rule) if name == tool else ""
        (tmp_path / name).write_text(f"#!/bin/sh\ncat <<'END'\n{text}END\n")
        (tmp_path / name).chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    script = scripts.check_firewall([10000, 10003, 10002]).text
    done = subprocess.run(
        ["sh"], input=script, text=True, env={**os.environ, "PATH": path}, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (status, ""), done.stdout
