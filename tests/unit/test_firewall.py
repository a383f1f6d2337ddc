"""Security groups to nftables: the exact text, what is refused, and that nft itself takes it."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from sandbox.hosts.nftables import Rule, ruleset

ANYWHERE = ("0.0.0.0/0",)
WHOLE = """\
table inet security_groups
delete table inet security_groups
table inet security_groups {
	chain input {
		type filter hook input priority filter; policy drop;
		iif lo accept
		ct state established,related accept
		ip saddr 10.8.0.0/24 tcp dport 22 accept
		meta nfproto ipv4 icmp type 8 accept
	}
	chain output {
		type filter hook output priority filter; policy drop;
		oif lo accept
		ct state established,related accept
		meta nfproto ipv4 accept
	}
}
"""
LINES = [
    (Rule("tcp", 10000, 10000, ("10.1.0.0/24",)), "ip saddr 10.1.0.0/24 tcp dport 10000 accept"),
    (Rule("tcp", 10000, 10003, ("10.1.0.7/32",)), "ip saddr 10.1.0.7/32 tcp dport 10000-10003 accept"),
    (Rule("udp", 0, 65535, ANYWHERE), "meta nfproto ipv4 udp dport 0-65535 accept"),
    (Rule("tcp", 1, 1, ("10.0.2.1/32", "10.0.1.1/32")), "ip saddr { 10.0.1.1/32, 10.0.2.1/32 } tcp dport 1 accept"),
    (Rule("tcp", 1, 1, ("10.0.0.0/8", "10.0.1.1/32")), "ip saddr 10.0.0.0/8 tcp dport 1 accept"),
    (Rule("tcp", 1, 1, ("10.0.0.0/8", *ANYWHERE)), "meta nfproto ipv4 tcp dport 1 accept"),
    (Rule("tcp", 1, 1, ("10.1.0.9/24",)), "ip saddr 10.1.0.0/24 tcp dport 1 accept"),
    (Rule("-1", None, None, ("10.0.0.0/16",)), "ip saddr 10.0.0.0/16 accept"),
    (Rule("-1", -1, -1, ANYWHERE), "meta nfproto ipv4 accept"),
    (Rule("icmp", None, None, ANYWHERE), "meta nfproto ipv4 meta l4proto icmp accept"),
    (Rule("icmp", -1, -1, ("10.0.0.0/16",)), "ip saddr 10.0.0.0/16 meta l4proto icmp accept"),
    (Rule("112", -1, -1, ("10.0.0.5/32",)), "ip saddr 10.0.0.5/32 meta l4proto 112 accept"),
    (Rule("icmp", 3, 4, ANYWHERE), "meta nfproto ipv4 icmp type 3 icmp code 4 accept"),
]
REFUSED = [
    (Rule("sctp", 1, 1, ANYWHERE), "protocol 'sctp'"),
    (Rule("256", None, None, ANYWHERE), "protocol '256'"),
    (Rule("tcp", None, None, ANYWHERE), "must be a first and a last one"),
    (Rule("tcp", 2, 1, ANYWHERE), "in this order"),
    (Rule("udp", 1, 65536, ANYWHERE), "0 to 65535"),
    (Rule("tcp", -1, 22, ANYWHERE), "0 to 65535"),
    (Rule("icmp", 256, None, ANYWHERE), "ICMP type or code"),
    (Rule("tcp", 1, 1, ("::/0",)), "::/0"),
    (Rule("tcp", 1, 1, ("10.0.0.0/33",)), "10.0.0.0/33"),
]


def test_the_whole_script_replaces_the_table_and_drops_by_default() -> None:
    ingress = [Rule("tcp", 22, 22, ("10.8.0.0/24",)), Rule("icmp", 8, -1, ANYWHERE)]
    assert ruleset(ingress, [Rule("-1", None, None, ANYWHERE)]) == WHOLE


@pytest.mark.parametrize(("rule", "line"), LINES)
def test_each_rule_is_one_line(rule: Rule, line: str) -> None:
    script = ruleset([rule], [])
    assert script.count(f"\t\t{line}\n") == 1, script
    assert ruleset([], [rule]).count(f"\t\t{line.replace('saddr', 'daddr')}\n") == 1


def test_without_rules_nothing_new_comes_in_or_goes_out() -> None:
    script = ruleset([], [])
    kept = [line.strip() for line in script.splitlines() if line.endswith("accept")]
    established = "ct state established,related accept"
    assert kept == ["iif lo accept", established, "oif lo accept", established]
    assert script.count("policy drop;") == 2


def test_a_rule_for_a_group_without_members_lets_nobody_in() -> None:
    assert ruleset([Rule("tcp", 22, 22, ())], []) == ruleset([], [])


def test_a_rule_that_is_given_twice_is_written_once() -> None:
    rule = Rule("tcp", 22, 22, ANYWHERE)
    assert ruleset([rule, rule], []) == ruleset([rule], [])


@pytest.mark.parametrize(("rule", "message"), REFUSED)
def test_a_rule_that_ec2_would_refuse_is_refused_and_named(rule: Rule, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ruleset([rule], [])


def test_nft_takes_every_kind_of_rule() -> None:
    if os.geteuid() != 0 or shutil.which("nft") is None:
        pytest.skip("needs root and nft: nft checks a script only against a kernel")
    rules = [rule for rule, _ in LINES]
    command = ["unshare", "--net", "nft", "-c", "-f", "-"]
    done = subprocess.run(command, input=ruleset(rules, rules), text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
