#!/bin/sh
# Install the named Debian packages where they are missing, or say exactly which to install.
set -eu
missing=
for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -eq 0 ]; then as_root=env; elif sudo -n true 2>/dev/null; then as_root='sudo env'; else
    echo "These packages are missing:$missing"
    echo "Install them first:  sudo apt-get install --no-install-recommends$missing"
    exit 2
fi
echo "Installing:$missing"
$as_root apt-get update -qq
# shellcheck disable=SC2086 - the list is meant to be split
$as_root DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends -qq $missing > /dev/null
