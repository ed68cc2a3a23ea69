#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# --help, the manual and the parser say the same; the pages render without a complaint. What make says when something is missing.
. "$(dirname "$0")/functions.sh"

page=mkappliance/man/mkappliance.1

# The options of one command in the manual: from its .Ss to the next heading.
manual_options() {
	awk -v want="$1" '/^\.S[sh] /{on = ($1 == ".Ss" && $2 == want)} on' "$page" |
		sed -n 's/^\.It .*Fl -\([a-z0-9-]*\).*/\1/p' | sort
}

# Those of --help, without the ones that every command has.
help_options() {
	"$mkappliance" "$1" --help | sed -nE 's/^  (-[a-z], |    )--([a-z0-9-]*).*/\2/p' |
		grep -vxE 'json|quiet|verbose|help' | sort
}

same_options() {
	diff <(manual_options "$1") <(help_options "$1")
}

# The parser knows each of them: an unknown one is named as such.
parser_knows() {
	local option
	for option in $(help_options "$1"); do
		"$mkappliance" "$1" "--$option" --help 2>&1 | grep -q 'unknown option' && {
			echo "--$option is in --help but not known"
			return 1
		}
	done
	fails_with 2 "unknown option '--no-such'" "$mkappliance" "$1" --no-such
}

commands=$("$mkappliance" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p')
check "the manual has the commands of --help" diff <(sed -n 's/^\.Ss \([a-z-]*\).*/\1/p' "$page" | sort) \
	<(tr ' ' '\n' <<<"$commands" | sort)
for command in $commands; do
	check "$command: manual and --help have the same options" same_options "$command"
	check "$command: the parser knows them, and no others" parser_knows "$command"
	check "$command: too many arguments" fails_with 2 'unexpected argument' "$mkappliance" "$command" a b c
	# These do all they can without one.
	[[ $command == gc || $command == aws-policy ]] ||
		check "$command: no argument" fails_with 2 'missing argument' "$mkappliance" "$command"
done
check "unknown command" fails_with 2 "unknown command 'frobnicate'" "$mkappliance" frobnicate

for file in mkappliance/man/*.[15]; do
	name=$(basename "$file")
	if command -v mandoc >/dev/null; then
		check "$name: mandoc has no complaint" mandoc -T lint -W warning "$file"
	else
		check_skip "$name: mandoc has no complaint" "mandoc is not installed"
	fi
done

# Each line of the README's threat model names a test, and checks in it: they are there.
shown() {
	python3 - README.md tests/integration <<'PY'
import re, sys
readme, tests = sys.argv[1:]
table = open(readme).read().split("## Who can do what")[1].split("\n## ")[0]
lines = [l.split(" | ")[-1] for l in table.splitlines() if l.startswith("| ")][1:]
assert len(lines) >= 14, lines
for line in lines:
    named = re.findall(r'`([a-z_]+\.sh)`(?:: ((?:"[^"]+"(?:, )?)+))?', line)
    assert named, "no test: " + line
    for name, checks in named:
        text = open(f"{tests}/{name}").read()
        for check in re.findall(r'"([^"]+)"', checks):
            assert f'check "{check}' in text, f"{name} has no check '{check}'"
PY
}
check "the README's threat model names tests that are there" shown

# ---- make ----

# make_says TEXT VARIABLE...: it ends at once, with that text.
make_says() {
	local output
	if output=$(make -s "${@:2}" 2>&1); then
		echo "it did not fail"
		return 1
	fi
	grep -qF "$1" <<<"$output" && return
	echo "expected '$1' in: $output"
	return 1
}
check "make: no pkg-config" make_says "no-such is not there. Run scripts/setup, or: apt-get install pkg-config" PKG_CONFIG=no-such
check "make: no libraries" make_says "pkg-config does not find: ext2fs com_err" PKG_CONFIG=false
check "make: no musl-gcc" make_says "no-such is not there (the init is static). Run scripts/setup, or: apt-get install musl-tools" MUSL_CC=no-such
