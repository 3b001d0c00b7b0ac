#!/bin/sh
# Makes a base image of Debian with Python 3.11, for machines that reach a Debian mirror but no image
# registry. Needs root, debootstrap and podman.
#
#     debian-base.sh localhost/debian-python:bookworm
set -eu
image=${1:?name of the image to make}

root=$(mktemp --directory)
trap 'rm -rf "$root"' EXIT
# python3.11-venv needs what python3-distutils provides, which debootstrap does not find by itself.
packages=python3.11,python3.11-venv,python3-distutils
debootstrap --variant=minbase --include="$packages" bookworm "$root"
rm -rf "$root"/debootstrap "$root"/var/cache/apt "$root"/var/lib/apt/lists/*
tar --directory "$root" --create . | podman import \
    --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' - "$image"
