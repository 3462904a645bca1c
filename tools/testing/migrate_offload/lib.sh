# SPDX-License-Identifier: GPL-2.0-only
# What the scripts of this directory share; source it. Messages go to stderr,
# results (such as a path) to stdout.
#
# shellcheck shell=bash
# shellcheck disable=SC2034 # used by those who source this

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
build=$root/build
cache=${XDG_CACHE_HOME:-~/.cache}/migrate-offload
base=${BASE:-6.12}
# In the order in which they are run. When time is limited the last ones may not be.
stages=(check kunit selftest demo stress own bench series kunit-amdgpu selftest-rest)

# Our own make's options and variables are not for the kernel's make.
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
export LC_ALL=C.UTF-8
export PYTHONDONTWRITEBYTECODE=1 # keeps __pycache__ out of source trees

# Same input, same kernel: for whoever compares, and for ccache.
export KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:00 UTC 2026'
export KBUILD_BUILD_USER=migrate-offload KBUILD_BUILD_HOST=build KBUILD_BUILD_VERSION=1
export CCACHE_DIR=${CCACHE_DIR:-$cache/ccache} CCACHE_BASEDIR=$root
export CCACHE_MAXSIZE=6G CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=time_macros

info() { printf '%s\n' "$*" >&2; }

die() {
	info "error: $*"
	exit 1
}

# Time goes by, and is seen to: rewrites its line on a terminal, else tells
# twice a minute. Ends with the script that started it.
ticker() {
	local what=$1 start=$SECONDS t
	while sleep 1 > /dev/null 2>&1 && kill -0 $$ 2> /dev/null; do
		t=$((SECONDS - start))
		if [ -t 2 ]; then
			printf '\r\033[K%s: %d s' "$what" "$t" >&2
		elif [ $((t % 30)) = 0 ]; then
			info "  $what: $t s"
		fi
	done
}

# run_logged WHAT LOG COMMAND...: quiet while all goes well.
run_logged() {
	local what=$1 log=$2 start=$SECONDS status=0 pid
	shift 2
	mkdir -p "$(dirname "$log")"
	[ -t 2 ] || info "$what"
	ticker "$what" > /dev/null &
	pid=$!
	"$@" > "$log" 2>&1 < /dev/null || status=$?
	kill "$pid" 2> /dev/null || :
	wait "$pid" 2> /dev/null || :
	[ ! -t 2 ] || printf '\r\033[K' >&2
	if [ "$status" = 0 ]; then
		info "$what: done, $((SECONDS - start)) s"
	else
		tail -n 30 "$log" >&2
		info "error: $what failed, see ${log#"$root"/}"
	fi
	return "$status"
}

install_packages() {
	local get=(apt-get -q -o DPkg::Lock::Timeout=600)
	export DEBIAN_FRONTEND=noninteractive
	# Lists that are missing or old are the usual cause of a failure.
	"${get[@]}" install -y --no-install-recommends "$@" ||
		{ "${get[@]}" update && "${get[@]}" install -y --no-install-recommends "$@"; }
}

# need_packages PACKAGE...: Debian's names. PACKAGES=no leaves it to the user.
need_packages() {
	local package missing=()
	[ "${PACKAGES:-}" != no ] || return 0
	command -v dpkg-query > /dev/null ||
		die "not Debian: install the like of '$*', then give PACKAGES=no"
	for package; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null)" = installed ] ||
			missing+=("$package")
	done
	[ ${#missing[@]} != 0 ] || return 0
	[ "$(id -u)" = 0 ] || die "packages are missing: apt-get install ${missing[*]}"
	run_logged "installing ${missing[*]}" "$build/apt.log" install_packages "${missing[@]}"
	use_ccache
}

use_ccache() { ! command -v ccache > /dev/null || export CC=${CC:-ccache gcc}; }

# Until DEADLINE, in seconds since the epoch, if there is one.
seconds_left() { echo $((${DEADLINE:-2000000000000} - $(date +%s))); }

# stage_result STAGE PASSED FAILED SKIPPED: for test.sh to add up, under its name.
stage_result() {
	mkdir -p "$build/results"
	printf '%d %d %d\n' "$2" "$3" "$4" > "$build/results/${STAGE:-$1}"
	printf '%s: %d passed, %d failed, %d skipped\n' "${STAGE:-$1}" "${@:2}"
	[ "$3" = 0 ] && [ "$2" != 0 ]
}

# Is it a kernel source tree, and of the version that this is for?
check_kernel_tree() {
	local version
	[ -d "$1" ] || die "$1: no such directory"
	version=$(sed -nE '/^(VERSION|PATCHLEVEL) = /{s///;p}' "$1/Makefile" 2> /dev/null |
		head -n 2 | paste -sd .) || :
	[[ -n $version && -e $1/Kbuild && -e $1/mm/migrate.c ]] ||
		die "$1 is not a Linux source tree"
	[ "$version" = "$base" ] || die "$1 is Linux $version, this needs $base"
}

use_ccache
