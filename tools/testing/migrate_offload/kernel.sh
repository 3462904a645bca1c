# SPDX-License-Identifier: GPL-2.0-only
# Kernels for machines: configure, build, judge what they said. Source it after
# lib.sh. Needs: $tree, $out (where to), $flavour (its name), fragments (of its
# configuration).
#
# shellcheck shell=bash
# shellcheck disable=SC2154 # set by those who source this

# shellcheck source=splats.sh
. "$here/splats.sh"

# Another architecture's: its name and compiler.
kernel_make=()
kmake() {
	nice make -s -C "$tree" O="$out" CC="${CC:-gcc}" -j"$(nproc)" "${kernel_make[@]}" "$@"
}

# Everything that decides about .config, for seeing whether it must be made anew.
config_inputs() {
	cat "${fragments[@]}"
	find "$root" -path "$build" -prune -o -name 'Kconfig*' -type f -print0 |
		sort -z | xargs -0 cat
	${CC:-gcc} --version
}

configure() {
	local stamp line lost=
	stamp=$(config_inputs | sha256sum)
	[ "$stamp" = "$(cat "$out/config.stamp" 2> /dev/null)" ] && return

	info "configuring the $flavour kernel"
	kmake tinyconfig
	"$tree/scripts/kconfig/merge_config.sh" -m -O "$out" "$out/.config" \
		"${fragments[@]}" > "$out/merge.log"
	kmake olddefconfig
	# Kconfig drops silently what it cannot have.
	while read -r line; do
		grep -qxF "$line" "$out/.config" || lost+=" ${line#\# }"
	done < <(grep -hE '^(# )?CONFIG_' "${fragments[@]}")
	[ -z "$lost" ] || die "the $flavour kernel cannot have:$lost"
	echo "$stamp" > "$out/config.stamp"
}

# Has anything that kernels are made of changed since? Faster than make's no.
changed_since() {
	[ ! -e "$1" ] || [ -n "$(find -L "$tree" "$out/config.stamp" \
		\( -path "$tree/tools" -o -path "$tree/Documentation" \) -prune -o \
		-newer "$1" -print -quit)" ]
}

kernel_targets=(bzImage modules)
build_kernel() {
	changed_since "$out/kernel.stamp" || return 0
	touch "$out/kernel.stamp.new"
	run_logged "building the $flavour kernel" "$out/build.log" kmake "${kernel_targets[@]}" 9>&-
	mv "$out/kernel.stamp.new" "$out/kernel.stamp"
}

# One splat in a run's kernel log fails the run; so does a log without an end.
check_console() {
	local log=$1 bad=0
	if splats "$log" > "$log.splats"; then
		info "the kernel complained, see $log:"
		head -n 20 "$log.splats" >&2
		bad=1
	fi
	if ! grep -aqE 'reboot: (Power down|Restarting system)' "$log"; then
		info "the machine did not switch off by itself; the last of $log:"
		tail -n 5 "$log" >&2
		bad=1
	fi
	return $bad
}
