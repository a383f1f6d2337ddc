# Sourced by the other scripts: sets up whatever is missing, and says so. Safe to repeat.
# shellcheck shell=sh

# What a script is for is said at its head, before anything is done.
help_asked() {
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
    exit 0
}
case "${1:-}" in --help | -h) help_asked ;; esac
# A script that passes its words on leaves later ones to whom they are for.
[ "${passes_on:-no}" = yes ] || for word; do
    case $word in --help | -h) help_asked ;; esac
done
cd "$(dirname "$0")/.." || exit 1

# Without compiled modules kept, program and plugins take twice as long to start, each time.
unset PYTHONDONTWRITEBYTECODE

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "error: $1"
    say "what to do: $2"
    exit 1
}

missing_of() {
    while read -r package path; do
        [ -z "$package" ] || [ -e "$path" ] || [ -e "/usr$path" ] || printf '%s ' "$package"
    done
}

# Before anything is installed: whether this machine can have a sandbox at all.
need_sandbox() {
    elsewhere="in a virtual machine, on a cloud machine, or in a container that may do it:
            docker run --privileged --rm -it -v \"\$PWD:/project\" -w /project debian:12 $0"
    [ "$(uname -s)" = Linux ] || fail "the sandbox needs Linux, and this is $(uname -s)" "run it $elsewhere"
    [ "$(id -u)" = 0 ] || fail "the sandbox makes network namespaces and mounts, so it needs root" "sudo $0"
    ! command -v unshare > /dev/null ||
        unshare --mount --net --pid --uts --ipc --fork mount -t tmpfs none /mnt 2> /dev/null ||
        fail "root may not make namespaces and mounts here, as in an ordinary container" "run it $elsewhere"
}

# Debian packages that are missing, by what each brings; also those of the lines in $also.
missing_packages() {
    missing_of <<'END'
iproute2 /sbin/ip
nftables /usr/sbin/nft
openssh-client /usr/bin/ssh-agent
util-linux /usr/bin/nsenter
mmdebstrap /usr/bin/mmdebstrap
debian-archive-keyring /usr/share/keyrings/debian-archive-keyring.gpg
curl /usr/bin/curl
python3 /usr/bin/python3
shellcheck /usr/bin/shellcheck
END
    printf '%s\n' "${also:-}" | missing_of
    "$python" -c 'import ensurepip, venv' 2> /dev/null || printf 'python3-venv '
}

# Tools, all of them: what the hosts of the sandbox run is installed in their own system.
install_packages() (
    [ "$(id -u)" = 0 ] || fail "missing: $*" "run this as root (sudo), or install them: apt-get install $*"
    command -v apt-get > /dev/null || fail "missing: $*" "install them with this machine's own package manager"
    say "installing Debian packages: $*"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" > /dev/null
)

make_environment() {
    stamp=$(cat requirements.txt requirements-dev.txt | sha256sum)
    [ "$(cat .venv/stamp 2> /dev/null)" != "$stamp" ] || return 0
    say "making the Python environment in .venv: once, a minute or two"
    "$python" -m venv --clear .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile -r requirements-dev.txt
    printf '%s\n' "$stamp" > .venv/stamp
}

# The command chef-push-jobs in .venv/bin, from the clone that the environment is in; it may have been moved.
install_command() {
    clone=$(dirname "$(readlink -f .venv)")
    stamp="$clone $(cat "$clone/pyproject.toml" "$clone/setup.py" | sha256sum)"
    [ "$(cat .venv/command-stamp 2> /dev/null)" != "$stamp" ] || return 0
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e "$clone"
    printf '%s\n' "$stamp" > .venv/command-stamp
}

[ "${sandbox:-no}" = no ] || need_sandbox
remove_all() {
    cache=${XDG_CACHE_HOME:-$HOME/.cache}/chef-push-jobs
    rm -rf .venv policy/.venv provider/.venv bench/.venv .sandbox "$cache"
    say "Removed as well: the Python environments, .sandbox and $cache. Debian packages stay."
}

python=python3
[ -z "${PYTHON:-}" ] || python=$PYTHON
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null ||
    fail "Python 3.11 or newer is needed" "install it, or set PYTHON=/path/to/python3.11 $0"
packages=$(missing_packages)
# shellcheck disable=SC2086  # a list of words
[ -z "$packages" ] || install_packages $packages
make_environment
install_command
.venv/bin/python -m sandbox.operator.engine > /dev/null || exit 1
