"""Packages: installed if they are not there, never downgraded, Chef server never upgraded, and taken off."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

from chef_push_jobs.model.packages import Package
from chef_push_jobs.scripts.shell import HOME, MARK, SHARER


def uploaded(package: Package) -> str:
    """Where a package file is uploaded to, relative to the login user's home."""
    return f"{MARK}-{package.sha256[:12]}-{package.name}"


def install(package: Package, user: str, *, upgrades: bool = True) -> str:
    """Installs the package, uploaded by `user` or fetched, if its digest is right and this version is not there.

    Without `upgrades`, not over an older version that is configured.
    """
    guard = [] if upgrades else ['  refuse_upgrade "$name" "$is" "$version"']
    return "\n".join(
        [
            "set -eu",
            *(
                _fetch(package)
                if package.url
                else [f"file=$(getent passwd {quote(user)} | cut -d: -f6)/{quote(uploaded(package))}"]
            ),
            f'echo "{package.sha256}  $file" | sha256sum --check --strict --quiet',
            *_REFUSE_DOWNGRADE,
            *([] if upgrades else _REFUSE_UPGRADE),
            *(_dpkg(guard) if package.format == "deb" else _rpm(guard)),
            "",
        ]
    )


def _fetch(package: Package) -> list[str]:
    return [
        f"file={HOME}/{quote(package.name)}",
        "trap 'rm -f \"$file\"' EXIT",
        f'curl -fsSL --retry 3 --max-time 600 --output "$file" {quote(str(package.url))}',
    ]


def _dpkg(guard: Sequence[str]) -> list[str]:
    """Another user of dpkg (unattended upgrades after the first boot) is waited for; the task's limit ends the wait."""
    return [
        'name=$(dpkg-deb --field "$file" Package)',
        'version=$(dpkg-deb --field "$file" Version)',
        "is=$(dpkg-query -W -f '${Status} ${Version}' \"$name\" 2> /dev/null) || is=none",
        'if [ "$is" = "install ok installed $version" ]; then',
        '  echo "$name $version is installed already"',
        "  exit 0",
        "fi",
        "case $is in",
        '  none | *" not-installed "* | *" config-files "*) ;;',
        "  *)",
        "    is=${is##* }",
        '    if dpkg --compare-versions "$version" lt "$is"; then',
        '      refuse_downgrade "$name" "$is" "$version"',
        "    fi",
        *(f"  {line}" for line in guard),
        "    ;;",
        "esac",
        "export DEBIAN_FRONTEND=noninteractive",
        f"out={HOME}/dpkg.out",
        'until LC_ALL=C dpkg -i "$file" > "$out" 2>&1; do',
        '  cat "$out"',
        "  if ! grep -q 'lock.* by another process\\|lock.*Resource temporarily unavailable' \"$out\"; then",
        '    rm "$out"',
        "    exit 1",
        "  fi",
        "  sleep 2",
        "done",
        'cat "$out"',
        'rm "$out"',
    ]


def _rpm(guard: Sequence[str]) -> list[str]:
    return [
        "name=$(rpm -qp --queryformat '%{NAME}' \"$file\")",
        "version=$(rpm -qp --queryformat '%{VERSION}-%{RELEASE}' \"$file\")",
        "if is=$(rpm -q --queryformat '%{VERSION}-%{RELEASE}' \"$name\"); then",
        '  if [ "$is" = "$version" ]; then',
        '    echo "$name $version is installed already"',
        "    exit 0",
        "  fi",
        '  if ! printf \'%s\\n\' "$is" "$version" | sort -V -C; then',
        '    refuse_downgrade "$name" "$is" "$version"',
        "  fi",
        *guard,
        "fi",
        'rpm -U "$file"',
    ]


# Before the package manager is touched: what a newer version did to the credentials, an older one does not undo (F5).
_REFUSE_DOWNGRADE = [
    "refuse_downgrade() {",
    '  echo "$1 $2 is installed here, but the stack asks for $3: a downgrade is not supported."',
    '  echo "Rule: the newer version has moved the credentials to where the older one does not look for them."',
    '  echo "Do:   set the package in the stack\'s settings to $2 or newer. Nothing was changed here."',
    "  exit 1",
    "}",
]

# Where a first installation did not end well, nothing is configured yet: that may go on with another version.
_REFUSE_UPGRADE = [
    "refuse_upgrade() {",
    '  if [ "$2" = "$3" ] || [ ! -e /etc/opscode/chef-server-running.json ]; then return; fi',
    '  echo "$1 $2 is installed here and configured, but the stack asks for $3: a rollout does not upgrade it."',
    '  echo "Rule: Chef server is stopped for an upgrade, and its data is migrated, by Chef\'s own procedure."',
    '  echo "Do:   follow that on all servers, or set the stack\'s package to $2 again. Nothing was changed here."',
    "  exit 1",
    "}",
]


def require_chef_server() -> str:
    """In place of an installation, where the image holds Chef server already."""
    message = "this image holds no Chef server: set chefServer.package, or choose an image that has it"
    return f"command -v chef-server-ctl || {{ echo {quote(message)} >&2; exit 1; }}\n"


def uninstall() -> str:
    """Takes push jobs off a server, whole; Chef server stays, and forgets the service.

    The key that it copied with opens nothing any more. It stays, because `connect` has told it: where another server
    cannot be left, the stack goes on with what `connect` told.
    """
    return f"""\
set -eu
if dpkg-query -W opscode-push-jobs-server > /dev/null 2>&1; then
  dpkg --purge opscode-push-jobs-server
elif rpm -q opscode-push-jobs-server > /dev/null 2>&1; then
  rpm -e opscode-push-jobs-server
fi
rm -rf /etc/opscode-push-jobs-server /var/opt/opscode-push-jobs-server
rm -f /var/opt/opscode/nginx/etc/addon.d/10-push_jobs_*.conf
if [ -d /var/opt/opscode/keepalived ]; then chef-server-ctl reconfigure; fi
rm -f {SHARER}
"""
