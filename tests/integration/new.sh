#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# mkappliance new: every template that it writes is one, and builds as it stands; what it is not told it asks for, and it overwrites nothing.
. "$(dirname "$0")/functions.sh"
. tests/integration/synthetic.sh
requires python3

cd "$tmp" || exit 1
new() { "$mkappliance" new "$@"; }

files_of() { (cd "$1" && echo *); }
none_is_written() {
	[ "$(new tiny --source none --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["files"])')" = "['hello', 'appliance.conf']" ] &&
		[ "$(files_of tiny)" = "appliance.conf hello" ] && [ -x tiny/hello ]
}
check "none: a static program and its template" none_is_written
debian_is_written() {
	[ "$(new web)" = "web/nginx.conf"$'\n'"web/index.html"$'\n'"web/appliance.conf" ] && [ -z "$(new other --quiet)" ] &&
		[ "$(files_of web)" = "appliance.conf index.html nginx.conf" ] && grep -qx Name=web web/appliance.conf
}
check "debian, the default: nginx with a page" debian_is_written

# ---- what it refuses; nothing is left ----

refused() {
	fails_with 2 "$@" && [ "$(echo *)" = "$before" ]
}
touch image.qcow2 app.rpm
mkdir layout full
echo mine >full/file
before=$(echo *)
check "a directory that holds something" refused "is not empty" "$mkappliance" new web
check "a file of the user's" refused "is not empty ('file' is in it)" "$mkappliance" new full --source none
check "an unknown source" refused "Source=: 'debain'" "$mkappliance" new x --source debain --exec /bin/x
check "oci without an image" refused "--image= must say which" "$mkappliance" new x --source oci
check "an .apk, which needs the image of an Alpine" refused "--source=disk: --image= must say which" "$mkappliance" new x --package app.apk
check "rpm without a repository" refused "--repository= must name one" "$mkappliance" new x --source rpm --exec /bin/x
check "rpm without a key" refused "--gpgkey=FILE must name the key" "$mkappliance" new x --source rpm --repository layout --exec /bin/x
check "an image for debian" refused "--image=: goes with" "$mkappliance" new x --image image.qcow2
check "an image that is not there" refused "--image=gone.qcow2" "$mkappliance" new x --source disk --image gone.qcow2
check "a package that nothing starts" refused "--exec=COMMAND or --unit=" "$mkappliance" new x --package image.qcow2
check "two ways to start" refused "one of the two" "$mkappliance" new x --exec /bin/x --unit x.service
check "a value that would be another line" refused "control character" "$mkappliance" new x --exec $'/bin/x\nUser=0'
check "a name that is none" refused "Name=" "$mkappliance" new x --name "A b"
into_nowhere() { fails_with 1 "no/where" "$mkappliance" new no/where/x && [ "$(echo *)" = "$before" ]; }
check "no directory to write to" into_nowhere

# ---- each parses, and an empty directory may be there already ----

mkdir empty
check "oci: by reference, into an empty directory" new empty --source oci --image docker://registry.example.org/library/app:1
check "oci: a layout, with its tag" new oci --source oci --image layout:latest
check "disk" new disk --source disk --image image.qcow2
check "rpm: with a key, and an application of which the source follows" new rpm --repository layout --gpgkey image.qcow2 \
	--package app.rpm --unit app.service
check "rpm: not signed" new unsigned --source rpm --repository https://mirror.example.org/ --gpgkey none --exec /bin/x
# shellcheck disable=SC2016 # a path, not a variable
paths_are_absolute() {
	grep -qx "Image=$tmp/layout:latest" oci/appliance.conf && grep -qx "Image=$tmp/image.qcow2" disk/appliance.conf &&
		grep -qx "Repository=base $tmp/layout gpgkey=$tmp/image.qcow2" rpm/appliance.conf &&
		grep -qx 'Image=docker://registry.example.org/library/app:1' empty/appliance.conf
}
check "paths lead there from anywhere, references stay" paths_are_absolute

# Where the user is, under a name of which not all can be that of an appliance.
mkdir "$tmp/_My.App_"
here() {
	(cd "$tmp/_My.App_" && [ "$(new . --source none)" = "./hello"$'\n'"./appliance.conf" ] && [ "$(echo * .[!.]*)" = "appliance.conf hello .[!.]*" ] &&
		grep -qx Name=my-app appliance.conf)
}
check "the directory where the user is" here
a_link() { mkdir real && ln -s real link && new link --source none --quiet && [ "$(files_of real)" = "appliance.conf hello" ] && [ -L link ]; }
check "through a link to an empty directory" a_link
value_alone() { [ "$(new x --exec run 2>&1)" = "mkappliance: Exec=: 'run' is not an absolute path in the image" ] && [ ! -e x ]; }
check "a value that is none is told without a file that is not there" value_alone

# ---- each builds ----

# The synthetic base with its kernel inside.
synthetic_base() {
	(cd "$OLDPWD" && synthetic_inputs "$tmp/in") && mkdir -p in/base/boot in/base/usr/lib/modules &&
		cp in/vmlinuz in/base/boot/vmlinuz-6.1.0-test && cp -r in/modules/6.1.0-test in/base/usr/lib/modules/ &&
		tar -C in/base --owner=0 --group=0 -cf base.tar .
}
build() { "$mkappliance" build "$1" -o out --quiet && [ -e "out/$1-1.0.0.raw" ]; }
stub_of_ours() { sed -i "s|^CommandLine=.*|&\nStub=$tmp/in/stub.efi|" "$1/appliance.conf"; }
directory_builds() {
	new dir --source directory --image in/base --exec "/usr/bin/application --flag" && stub_of_ours dir && build dir
}
tar_builds() {
	new tar --source tar --image base.tar --package in/page.tar --exec /usr/bin/application && stub_of_ours tar && build tar
}
synthetic_base && tar -C in -cf in/page.tar page
check "directory: builds" directory_builds
check "tar, with a package: builds" tar_builds

# A repository and an application of it, as in templates/rpm-service; a container image made by umoci.
rpm_builds() {
	(cd "$OLDPWD" && scripts/rpm-distribution build/rpm-distribution) &&
		new app-rpm --repository "$OLDPWD/build/rpm-distribution/repository" --gpgkey "$OLDPWD/build/rpm-distribution/key.asc" \
			--package "$OLDPWD"/build/rpm-distribution/hello-*.rpm --unit hello.service && build app-rpm
}
oci_builds() {
	umoci init --layout image && umoci new --image image:app && install -D "$OLDPWD/build/hello" root/usr/bin/hello &&
		umoci insert --image image:app root / && umoci config --image image:app --config.entrypoint /usr/bin/hello --config.cmd 8080 &&
		new app-oci --source oci --image image:app && build app-oci
}
if can_sandbox && command -v dnf >/dev/null && command -v createrepo_c >/dev/null && command -v rpmsign >/dev/null; then
	check "rpm: builds" rpm_builds
else
	check_skip "rpm: builds" "no sandbox here, or dnf, createrepo_c or rpmsign is not installed (scripts/setup)"
fi
if command -v umoci >/dev/null; then
	check "oci: builds" oci_builds
else
	check_skip "oci: builds" "umoci is not installed (apt-get install umoci)"
fi

# These fetch a kernel, and Debian.
check "none: builds" build tiny && check "none: boots and answers" "$mkappliance" test out/tiny-1.0.0.raw
check "debian: builds" build web && check "debian: boots and answers" "$mkappliance" test out/web-1.0.0.raw
