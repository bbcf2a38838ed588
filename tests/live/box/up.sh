#!/bin/sh
# Bring a box up, and take it down again: in network and mount namespaces of its own, where libvirt disturbs nobody.
#
#   CARD=52:54:... unshare --net --mount sh up.sh FOLDER
#
# FOLDER holds appliance.box, Vagrantfile, key and context.iso.
set -eu
folder=$1
ip link set lo up
mount -t tmpfs -o mode=755 tmpfs /run
for place in /var/lib/libvirt /var/cache/libvirt /var/log/libvirt; do
    mkdir -p "$place"
    mount -t tmpfs -o mode=755 tmpfs "$place"
done
mkdir -p /run/libvirt /run/lock /var/lib/libvirt/images

end() {
    (cd "$folder" && vagrant destroy --force) || true
    for daemon in libvirtd virtlogd; do
        [ -e /run/$daemon.pid ] && kill "$(cat /run/$daemon.pid)"
    done
    # dnsmasq of the box's network outlives libvirtd; it is alone in this namespace.
    for file in /run/libvirt/network/*.pid; do
        [ -e "$file" ] && kill "$(cat "$file")"
    done
}
trap end EXIT
trap 'exit 143' TERM

virtlogd --daemon
libvirtd --daemon
until virsh -c qemu:///system version > /dev/null 2>&1; do sleep 1; done

cd "$folder"
export HOME="$folder/home" VAGRANT_HOME="$folder/home/vagrant"
mkdir -p "$VAGRANT_HOME"
cp context.iso /var/lib/libvirt/images  # the user whom qemu runs as need not be able to enter FOLDER
vagrant box add --name appliance appliance.box
vagrant up --provider libvirt
