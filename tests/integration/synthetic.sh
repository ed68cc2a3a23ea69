# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154 # $mkappliance is set by functions.sh
#
# Made-up inputs, sourced by tests: a template with a directory as its base, and with a kernel, a stub and an init that are of
# no package, so that the bytes of the image depend on nothing but mkappliance and libext2fs.

# synthetic_inputs DIR: writes DIR/appliance.conf and all that it names.
synthetic_inputs() {
	mkdir -p "$1"
	python3 tests/integration/synthetic.py "$1"
}

# synthetic_as_tar DIR: the base becomes a tar in which everything belongs to root, whoever made the files. (Source=directory takes
# owners as they are on the disk.)
synthetic_as_tar() {
	tar --sort=name --numeric-owner --owner=0 --group=0 --mtime=@1600000000 -C "$1/base" -cf "$1/base.tar" . &&
		touch -d @1600000000 "$1/base.tar" &&
		sed -i 's/^Source=directory/Source=tar/; s/^Path=base$/Path=base.tar/' "$1/appliance.conf"
}

# synthetic_build DIR OUTPUT [OPTION...]: builds the inputs in DIR.
synthetic_build() {
	local inputs=$1 out=$2
	shift 2
	MKAPPLIANCE_INIT=$inputs/init "$mkappliance" build "$inputs" -o "$out" "$@"
}
