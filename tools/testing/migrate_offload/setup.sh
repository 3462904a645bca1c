#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Install what building, testing and checking need, if anything is missing.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
. "$here/lib.sh"

packages=(
	bc bison ccache cpio flex gcc git libc6-dev libelf-dev make patch perl python3 xz-utils # kernels
	btrfs-progs busybox-static e2fsprogs qemu-system-x86 xfsprogs                          # vm.sh
	dpkg-dev libfdt-dev libglib2.0-dev libpixman-1-dev meson ninja-build pkg-config        # qemu.sh
	seabios qemu-system-data zlib1g-dev
	libcap-dev libnuma-dev liburing-dev                                                    # own.sh
	gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-system-arm                            # machines.sh
	gcc-riscv64-linux-gnu libc6-dev-riscv64-cross qemu-system-misc
	python3-sphinx shellcheck sparse                                                       # check.sh
	gnuplot-nox                                                                            # bench.sh
)
need_packages "${packages[@]}"
