#!/bin/sh
# Run the live-marked tests: against the front end that ONE_XMLRPC names, else against one that is brought up for them.
#
#   run.sh PYTEST [ARGUMENTS...]
#
# KEEP=1 leaves the machine there, for the next run or to look at.
set -eu
pytest=$1
shift

if [ -n "${ONE_XMLRPC:-}" ]; then
    exec "$pytest" -m live "$@"
fi
command -v vagrant > /dev/null || {
    echo "No front end is named (ONE_XMLRPC, ONE_AUTH), and there is no vagrant to bring one up: see docs/live.md" >&2
    exit 2
}
for name in ONE_REPOSITORY ONE_REPOSITORY_KEY; do
    eval "value=\${$name:-}"
    [ -n "$value" ] || {
        echo "$name is not set: it tells where the vendor's packages are, see docs/live.md" >&2
        exit 2
    }
done

folder=$(mktemp -d)
take_down() {
    rm -rf "$folder"
    [ "${KEEP:-}" = 1 ] || vagrant destroy --force
}
trap take_down EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

vagrant up
(umask 077 && vagrant ssh -c 'sudo cat /var/lib/one/.one/one_auth' > "$folder/one_auth")
ONE_XMLRPC=http://127.0.0.1:2633/RPC2 ONE_AUTH="$folder/one_auth" "$pytest" -m live "$@"
