#!/bin/sh
# Make this machine a single-node OpenNebula: front end, KVM node, NFS datastores, folders for virtiofs, OneGate.
#
# Run as root on a stock Debian or Ubuntu; it may be run again. It takes from its environment:
#   ONE_REPOSITORY      address of the vendor's package repository, without the version (see docs/live.md)
#   ONE_REPOSITORY_KEY  address of the key that signs it
#   ONE_VERSION         series, for example 7.0
set -eu

UNREACHABLE=69    # sysexits.h: EX_UNAVAILABLE
MISUSED=64        # sysexits.h: EX_USAGE
DATASTORES=/var/lib/one/datastores
EXPORTED=/srv/datastores
EXCHANGE=/srv/exchange
PLACEHOLDER=/var/tmp/gurney-appliance.qcow2
BRANCHES="erode salem"
LINK=branches0
PORTAL_PORT=5030

say() { printf '%s front-end: %s\n' "$(date +%T)" "$*"; }

fail() {
    code=$1
    shift
    say "$*" >&2
    exit "$code"
}

check_machine() {
    [ "$(id -u)" -eq 0 ] || fail $MISUSED "run this as root"
    [ -r /etc/os-release ] || fail $MISUSED "no /etc/os-release: this is neither Debian nor Ubuntu"
    # shellcheck disable=SC1091
    . /etc/os-release
    case $ID in
        debian) SYSTEM=Debian/$VERSION_ID ;;
        ubuntu) SYSTEM=Ubuntu/$VERSION_ID ;;
        *) fail $MISUSED "the vendor has packages for Debian and Ubuntu; this is ${PRETTY_NAME:-$ID}" ;;
    esac
    [ -n "${ONE_VERSION:-}" ] || fail $MISUSED "ONE_VERSION is not set: name a series, for example 7.0"
    [ -e /dev/kvm ] || say "no /dev/kvm: VMs will be translated, which is slow; switch nested virtualisation on"
    say "OpenNebula $ONE_VERSION on $SYSTEM, $(nproc) CPUs, $(awk '/MemTotal/ {print int($2 / 1024)}' /proc/meminfo) MiB"
}

install() {
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends -qq "$@" > /dev/null
}

install_from_distribution() {
    say "packages of the distribution"
    apt-get update -qq || fail $UNREACHABLE "the distribution's package repository cannot be reached"
    install ca-certificates curl gnupg iproute2 nfs-common nfs-kernel-server openssh-server qemu-utils
    # Where there is a package of its own; else it comes with qemu.
    if apt-cache show virtiofsd > /dev/null 2>&1; then install virtiofsd; fi
}

lay_out_folders() {
    say "folders of the exchange, and an image to make VMs from"
    for branch in $BRANCHES; do
        mkdir -p "$EXCHANGE/out/$branch"
        # libvirt's virtiofs maps a guest's user 800 here.
        chown 100800:100800 "$EXCHANGE/out/$branch"
    done
    [ -e $PLACEHOLDER ] || qemu-img create -q -f qcow2 $PLACEHOLDER 64M
    chmod 0644 $PLACEHOLDER
}

add_branches_link() {
    say "a link for the branches' VLANs"
    cat > /etc/systemd/system/gurney-branches.service <<UNIT
[Unit]
Description=A link that stands for the branches' wires
Before=libvirtd.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'ip link show $LINK || ip link add $LINK type dummy; ip link set $LINK up'

[Install]
WantedBy=multi-user.target
UNIT
    systemctl daemon-reload
    systemctl enable --quiet --now gurney-branches.service
}

add_repository() {
    [ -n "${ONE_REPOSITORY:-}" ] || fail $MISUSED "ONE_REPOSITORY is not set: the address in the vendor's guide"
    [ -n "${ONE_REPOSITORY_KEY:-}" ] || fail $MISUSED "ONE_REPOSITORY_KEY is not set: the address in the vendor's guide"
    say "the vendor's packages"
    mkdir -p /etc/apt/keyrings
    curl --fail --silent --show-error --location --retry 3 --max-time 60 "$ONE_REPOSITORY_KEY" > /etc/apt/keyrings/opennebula.asc.new ||
        fail $UNREACHABLE "$ONE_REPOSITORY_KEY cannot be reached from here"
    gpg --dearmor --yes --output /etc/apt/keyrings/opennebula.gpg /etc/apt/keyrings/opennebula.asc.new
    rm /etc/apt/keyrings/opennebula.asc.new
    echo "deb [signed-by=/etc/apt/keyrings/opennebula.gpg] ${ONE_REPOSITORY%/}/$ONE_VERSION/$SYSTEM stable opennebula" \
        > /etc/apt/sources.list.d/opennebula.list
    apt-get update -qq -o APT::Update::Error-Mode=any ||
        fail $UNREACHABLE "the vendor has no packages of $ONE_VERSION for $SYSTEM there, or cannot be reached"
}

install_opennebula() {
    say "front end, OneGate and KVM node"
    install opennebula opennebula-gate opennebula-node-kvm
    systemctl stop opennebula opennebula-gate
}

share_datastores() {
    say "datastores over NFS"
    mkdir -p $EXPORTED
    if ! mountpoint -q $DATASTORES; then
        cp -a "$DATASTORES/." $EXPORTED
        chown oneadmin:oneadmin $EXPORTED
        echo "$EXPORTED 127.0.0.1(rw,sync,no_subtree_check,no_root_squash)" > /etc/exports.d/gurney.exports
        exportfs -ra
        systemctl enable --quiet --now nfs-server
        grep -q " $DATASTORES nfs" /etc/fstab ||
            echo "127.0.0.1:$EXPORTED $DATASTORES nfs vers=4,soft,_netdev 0 0" >> /etc/fstab
        mount $DATASTORES
    fi
}

configure() {
    say "configuration"
    address=$(ip -4 route get 192.0.2.1 | sed -n 's/.* src \([0-9.]*\).*/\1/p')
    sed -i 's/^:host: .*/:host: 0.0.0.0/' /etc/one/onegate-server.conf
    sed -i "s|^#*ONEGATE_ENDPOINT *=.*|ONEGATE_ENDPOINT = \"http://$address:$PORTAL_PORT\"|" /etc/one/oned.conf
    grep -q '^ONEGATE_ENDPOINT' /etc/one/oned.conf ||
        echo "ONEGATE_ENDPOINT = \"http://$address:$PORTAL_PORT\"" >> /etc/one/oned.conf
    # Without KVM the driver of the same name starts qemu's translation.
    [ -e /dev/kvm ] || sed -i '/^VM_MAD *= *\[/,/\]/ s/\(TYPE *= *\)"kvm"/\1"qemu"/' /etc/one/oned.conf
    systemctl enable --quiet --now opennebula opennebula-gate
}

as_oneadmin() { runuser -u oneadmin -- "$@"; }

wait_for() {
    what=$1
    shift
    tries=120
    until "$@" > /dev/null 2>&1; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || fail 1 "$what: not within two minutes; see /var/log/one/oned.log"
        sleep 1
    done
}

trust_itself() {
    keys=$(ssh-keyscan -t ed25519 localhost "$(hostname)" 2>/dev/null)
    printf '%s\n' "$keys" > /var/lib/one/.ssh/known_hosts
    chown oneadmin:oneadmin /var/lib/one/.ssh/known_hosts
}

add_datastores_and_host() {
    say "datastores and host"
    wait_for "the front end" as_oneadmin onehost list
    trust_itself
    for number in 0 1; do
        echo 'TM_MAD="shared"' | as_oneadmin sh -c "cat > /var/tmp/ds && onedatastore update $number /var/tmp/ds --append; rm /var/tmp/ds"
    done
    as_oneadmin onehost show localhost > /dev/null 2>&1 || as_oneadmin onehost create localhost -i kvm -v kvm > /dev/null
    wait_for "the host" sh -c "runuser -u oneadmin -- onehost show localhost | grep -Eq 'STATE *: *MONITORED'"
}

check_machine
install_from_distribution
lay_out_folders
add_branches_link
add_repository
install_opennebula
share_datastores
configure
add_datastores_and_host
say "ready: the login is in /var/lib/one/.one/one_auth"
