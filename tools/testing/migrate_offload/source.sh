#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Print the path of a pristine kernel source tree, which nobody may change:
# KSRC, if given, or else Debian's linux-source package, unpacked once.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lib.sh
. "$here/lib.sh"

if [ -n "${KSRC:-}" ]; then
	check_kernel_tree "$KSRC"
	cd "$KSRC" && pwd -P
	exit
fi

package=linux-source-$base
tarball=/usr/src/$package.tar.xz # of the installed package, if it is
sources=$cache/sources
newest=$sources/$package
mkdir -p "$sources"

# "&&": in a function that run_logged calls, a failure would not end the script.
download() {
	cd "$tmp" &&
		# Old lists may name a version that is gone.
		{ apt-get -q download "$package" ||
			{ [ "$(id -u)" = 0 ] && apt-get -q update && apt-get -q download "$package"; }; } &&
		dpkg-deb -x ./*.deb .
}

# Appears under its name only when it is complete.
unpack() {
	rm -rf "$sources"/tmp.* &&
		mkdir "$sources/tmp.$$" &&
		tar -C "$sources/tmp.$$" --strip-components=1 -I 'xz -T0' -xf "$tarball" &&
		mv -T "$sources/tmp.$$" "$1"
}

# Sums are kept by size and date: the tarball takes a second to read.
tarball_sum() {
	local key sum
	key=$(stat -c '%s %Y %n' "$tarball") || return
	if ! sum=$(grep -sF " $key" "$sources/sums"); then
		sum=$(sha256sum "$tarball") || return
		sum="${sum:0:12} $key"
		echo "$sum" >> "$sources/sums"
	fi
	echo "${sum%% *}"
}

exec 9> "$sources/lock"
flock 9
if [ ! -e "$tarball" ]; then
	if [ -e "$newest" ]; then
		realpath "$newest"
		exit
	fi
	command -v apt-get > /dev/null || die "not Debian: give a tree with KSRC="
	tmp=$(mktemp -d)
	trap 'rm -rf "$tmp"' EXIT
	run_logged "downloading $package" "$build/download.log" download ||
		die "cannot get $package: give a tree with KSRC="
	tarball=$tmp$tarball
fi

sum=$(tarball_sum)
tree=$sources/linux-$sum
[ -e "$tree" ] || run_logged "unpacking $package" "$build/unpack.log" unpack "$tree" ||
	die "cannot unpack $tarball"
check_kernel_tree "$tree"
ln -sfn "${tree##*/}" "$newest"
echo "$tree"
