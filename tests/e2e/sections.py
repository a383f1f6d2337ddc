"""Which sections of the documents show commands, at which desk each is followed, and what no sandbox can run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sandbox.paths import CLONE
from tests.e2e import documents, rows
from tests.e2e.rows import AGREE, BESIDE, CLI, COMMAND, COPY, OPERATOR, SELF, UP, WELL, Row

TEXTS = {
    str(path.relative_to(CLONE)): path.read_text() for path in [CLONE / "README.md", *(CLONE / "docs").glob("*.md")]
}
ELSEWHERE = {"docs/state.md": "tests/e2e/test_state.py runs each of its sections"}
BACKUP = "(umask 077; tar -C / -czf /root/credentials.tgz etc/opscode etc/opscode-push-jobs-server)"
PLAN = "pulumi preview --json | chef-push-jobs plan --stack production --format svg --preview - > plan.svg"
REPLACE = "pulumi preview --json --stack \"$STACK\" --replace '**aws:ec2/instance:Instance::backend-0' > preview.json"
NOT_RUN = {
    ("README.md", "scripts/test"): SELF,
    ("README.md", "python3 -m venv .venv"): COMMAND,
    ("README.md", ". .venv/bin/activate"): COMMAND,
    ("README.md", "pip install --no-deps --editable ."): COMMAND,
    ("docs/aws.md", "python3 -m venv .venv"): COMMAND,
    ("docs/aws.md", ". .venv/bin/activate"): COMMAND,
    ("docs/aws.md", "pip install --no-deps --editable ."): COMMAND,
    ("docs/aws.md", "aws sts get-caller-identity"): CLI,
    (
        "docs/aws.md",
        "aws iam create-policy --policy-name chef-push-jobs --policy-document file://policy.json",
    ): CLI,
    (
        "docs/failover.md",
        "aws iam create-policy --policy-name chef-push-jobs-boundary-production --policy-document file://boundary.json",
    ): CLI,
    (
        "docs/aws.md",
        "aws ec2 import-key-pair --key-name operators --public-key-material fileb://~/.ssh/id_ed25519.pub",
    ): CLI,
    (
        "docs/aws.md",
        "aws resourcegroupstaggingapi get-resources --tag-filters Key=stack,Values=production",
    ): CLI,
    (
        "docs/aws.md",
        "aws ce get-cost-and-usage --time-period Start=2026-11-01,End=2026-12-01 --granularity MONTHLY "
        "--metrics UnblendedCost \\\n"
        '  --filter \'{"Tags": {"Key": "stack", "Values": ["production"]}}\'',
    ): CLI,
    ("docs/aws.md", "aws service-quotas get-service-quota --service-code ec2 --quota-code L-1216C47A"): CLI,
    (
        "docs/aws.md",
        "aws service-quotas request-service-quota-increase --service-code ec2 --quota-code L-1216C47A "
        "--desired-value 32",
    ): CLI,
}


@dataclass(frozen=True)
class Section:
    """Commands below a heading, and the desk at which they are typed. `on` is where, if their row does not say it."""

    desk: str
    document: str
    heading: str
    rows: Mapping[str, Row] = field(default_factory=dict)
    on: str = OPERATOR

    @property
    def commands(self) -> list[str]:
        found = [
            command.text for command in documents.commands(TEXTS[self.document]) if command.heading == self.heading
        ]
        return [text for text in found if (self.document, text) not in NOT_RUN]


SECTIONS = (
    Section(
        "clone",
        "README.md",
        "Try it",
        {
            "scripts/up": Row(("a job ran on client-0 and client-1", "The stack sandbox is up")),
            "scripts/pulumi preview": Row(("unchanged",)),
            ".venv/bin/python -m sandbox status": Row(("backend-0", "backend-1", "frontend-0", "frontend-1")),
            ".venv/bin/python -m sandbox job uptime": Row(("succeeded: client-0 client-1",)),
            "scripts/down": Row(("is removed",)),
            "scripts/up sandbox-standalone": Row(WELL),
            "scripts/up sandbox-ha-aws": Row(WELL),
        },
        BESIDE,
    ),
    Section("clone", "docs/operations.md", "Running a cluster"),
    Section("clone", "docs/operations.md", "The first job", on="backend-0"),
    Section("clone", "docs/operations.md", "Upgrade", {UP: Row(("install",), after=rows.upgraded)}),
    Section(
        "clone",
        "docs/operations.md",
        "Rotate",
        {
            BACKUP: Row(on="backend-0", after=rows.has_a_backup),
            UP: Row(("rotate",), changes=rows.credentials),
        },
    ),
    Section("clone", "docs/operations.md", "Add", {UP: Row(("frontend-1",), after=rows.has_a_second_frontend)}),
    Section("clone", "docs/operations.md", "Remove", {UP: Row(("frontend-1",), after=rows.has_one_frontend)}),
    Section(
        "clone",
        "docs/operations.md",
        "Replace",
        {
            f"{UP} --replace '**aws:ec2/instance:Instance::frontend-0'": Row(
                changes=lambda desk: rows.servers(desk)["frontend-0"], after=rows.has_one_frontend
            )
        },
    ),
    Section(
        "clone",
        "docs/operations.md",
        "Repair",
        {
            'chef-push-jobs doctor --stack "$STACK"': Row(
                ("""'chef-push-jobs:repair["push-jobs-copy-frontend-0"]'""",), status=1, before=rows.drifted
            ),
            UP: Row(("copy-frontend-0",)),
            'chef-push-jobs doctor --stack "$STACK" --format json': Row(('"well": true',)),
        },
    ),
    Section(
        "clone",
        "docs/operations.md",
        "Fail over",
        {
            "chef-server-ctl stop keepalived": Row(on="backend-0", after=rows.backend_1_is_master),
            "chef-server-ctl ha-status": Row(on="backend-1", before=rows.backend_1_is_well),
            'pulumi stack output test --stack "$STACK"': Row(WELL),
            "chef-server-ctl start keepalived": Row(on="backend-0", after=rows.backend_1_is_master),
        },
    ),
    # After a failover, so that the other backend is the master and hands over.
    Section(
        "clone",
        "docs/operations.md",
        "Change the instance type",
        {UP: Row(("backend-0 takes over from backend-1",), before=rows.backend_0_is_standby)},
    ),
    Section(
        "clone",
        "docs/operations.md",
        "Roll back",
        {
            'pulumi config set --stack "$STACK" --path chef-push-jobs:pushJobs.settings.heartbeat_interval 2000': Row(
                before=rows.committed
            ),
            UP: Row(changes=rows.interval),
        },
    ),
    Section("clone", "docs/operations.md", "Two people at once"),
    Section(
        "clone",
        "docs/operations.md",
        "Remove the cluster",
        {'pulumi destroy --stack "$STACK"': Row(after=rows.nothing_runs)},
    ),
    Section("clone", "README.md", "Clean up", {"scripts/down": Row(("is removed",))}, BESIDE),
    Section(
        "newcomer",
        "docs/aws.md",
        "Step by step",
        {
            "sed -n '/^```json$/,/^```$/p' docs/aws.md | sed '1d;$d' > policy.json": Row(after=rows.is_a_policy_of_aws),
            "sha256sum chef-server-core_*.deb opscode-push-jobs-server_*.deb": Row(before=rows.packages),
            COPY: Row(after=rows.settings),
            "pulumi preview": Row(("push-jobs-test-backend-0",)),
            "pulumi stack output test": Row(WELL),
            "chef-push-jobs doctor": Row(("all well",)),
        },
    ),
    Section(
        "newcomer",
        "docs/aws.md",
        "Costs",
        {"chef-push-jobs plan --stack production --costs": Row(("total",))},
    ),
    Section(
        "newcomer",
        "docs/failover.md",
        "What the machines may do",
        {
            "sed -n '/^```json$/,/^```$/p' docs/failover.md | sed '1d;$d' > boundary.json": Row(
                after=rows.is_a_boundary_of_aws
            ),
        },
    ),
    Section(
        "newcomer",
        "docs/aws.md",
        "Remove the cluster",
        {"pulumi destroy": Row(after=rows.nothing_runs)},
    ),
    Section(
        "operator",
        "README.md",
        "On AWS",
        {
            COPY: Row(after=rows.settings),
            "pulumi preview": Row(("push-jobs-test-backend-0",)),
            "chef-push-jobs review": Row(("### Stack `production`",)),
            "chef-push-jobs up": Row(WELL, answers=AGREE),
            "chef-push-jobs report": Row(after=rows.has("report.html")),
            "chef-push-jobs check --stack production": Row(("topology", "standalone")),
            "chef-push-jobs plan --stack production": Row(("restart-pushy",)),
            PLAN: Row(after=rows.has("plan.svg")),
        },
    ),
    Section(
        "operator",
        "docs/settings.md",
        "Settings",
        {'chef-push-jobs check --stack "$STACK"': Row(("topology", "standalone"))},
    ),
    Section(
        "operator",
        "docs/review.md",
        "Reviewing a change before it runs",
        {
            'chef-push-jobs review --stack "$STACK"': Row(("nothing changes",)),
            REPLACE: Row(after=rows.has("preview.json")),
            'chef-push-jobs review --stack "$STACK" --preview preview.json': Row(("primary", "replaced")),
        },
    ),
    Section(
        "operator",
        "docs/review.md",
        "While it runs, and after",
        {
            'chef-push-jobs up --stack "$STACK"': Row(WELL, answers=AGREE),
            'chef-push-jobs report --stack "$STACK"': Row(after=rows.has("report.html")),
        },
    ),
    Section(
        "operator",
        "docs/policy.md",
        "Policies",
        {
            "scripts/pulumi preview --policy-pack policy": Row(("chef-push-jobs@v",), on=BESIDE),
            "python3 -m venv --clear policy/.venv": Row(on=BESIDE),
            "policy/.venv/bin/pip install -r policy/requirements.txt": Row(on=BESIDE),
            "pulumi up --policy-pack policy": Row(("chef-push-jobs@v",)),
            "pulumi preview --policy-pack policy --policy-pack-config policies.json": Row(
                ("chef-push-jobs@v",), before=rows.policies
            ),
        },
    ),
    Section(
        "adopter",
        "docs/existing-servers.md",
        "Servers that exist already",
        {
            "cp stacks/Pulumi.existing.yaml stacks/Pulumi.production.yaml": Row(after=rows.existing),
            "pulumi up": Row(("push-jobs-test-backend-0",)),
        },
    ),
    Section(
        "adopter",
        "docs/existing-servers.md",
        "Remove the stack",
        {"pulumi destroy": Row(after=rows.uninstalled)},
    ),
    Section(
        "operator",
        "docs/network.md",
        "Protection",
        {
            "pulumi config set chef-push-jobs:protect false": Row(before=rows.protected),
            "pulumi destroy": Row(after=rows.nothing_runs),
        },
    ),
    Section(
        "program",
        "docs/package.md",
        "The component package",
        {
            'pulumi package get-schema "$PROJECT/provider"': Row(('"clientCidrs"',), before=rows.without_the_package),
            'pulumi package add "$PROJECT/provider"': Row(after=rows.names_the_package),
        },
    ),
)
