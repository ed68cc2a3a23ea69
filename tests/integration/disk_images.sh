# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
#
# Disk images of a tree, and templates that build on them with the kernel of synthetic.sh. To be sourced behind both.

export MKAPPLIANCE_INIT=$tmp/in/init
export LIBGUESTFS_BACKEND=direct
grep -qwE 'vmx|svm' /proc/cpuinfo || export LIBGUESTFS_BACKEND_SETTINGS=force_tcg

# disk_of PARTITION FILE: a GPT disk with that one partition.
disk_of() {
	truncate -s $(($(stat -c %s "$1") + 2 * 1048576)) "$2" && echo 'start=2048, type=linux' | sfdisk -q --label gpt "$2" &&
		dd if="$1" of="$2" bs=1M seek=1 conv=notrunc,sparse status=none
}
make_disk() { # TREE FILE [SIZE]
	truncate -s "${3:-120M}" "$tmp/part" && mke2fs -q -t ext4 -d "$1" -F "$tmp/part" && disk_of "$tmp/part" "$2" && rm "$tmp/part"
}

# conf NAME LINE...: a template with these lines of [Base] and what follows.
conf() {
	local name=$1
	shift
	sed -e '/^\[Base\]/,/^\[/{/^Source=/d;/^Path=/d}' -e '/^Image=/d;/^ModulesDirectory=/d' "$tmp/in/appliance.conf" >"$tmp/in/$name.conf"
	sed -i '/^\[Base\]/d' "$tmp/in/$name.conf"
	printf '%s\n' "[Base]" "Source=disk" "$@" >>"$tmp/in/$name.conf"
}
# build NAME: with a cache of its own.
build() {
	"$mkappliance" build "$tmp/in/$1.conf" -o "$tmp/out-$1" --cache="$tmp/cache-$1" "${@:2}"
}
nothing_left() { # CACHE
	[ -z "$(find "$1/work" -mindepth 1 2>/dev/null)" ] && [ -z "$(find "$1/layers" -name '*.tar')" ] && ! pgrep -f "$1/work" >/dev/null
}
