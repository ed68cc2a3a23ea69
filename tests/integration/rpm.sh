#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Source=rpm and application packages, from a signed repository over HTTP: what is in the image, looked at by the image's own rpm;
# every refusal; what a build that is killed leaves behind.
. "$(dirname "$0")/functions.sh"
[ "$(id -u)" -eq 0 ] || skip "the rpm in the image is run by root"
. tests/integration/rpm_repository.sh
export XDG_CACHE_HOME=$tmp/cache
serve "$distribution/repository"

# ---- the test's own packages ----

# shellcheck disable=SC2016 # for the scriptlets
sign=rpm@example.org rpm_of app 'Requires: shadow-utils' 'Requires(pre): shadow-utils' 'Recommends: tips' '%description' t \
	'%install' 'mkdir -p %{buildroot}/opt/app %{buildroot}/etc %{buildroot}/var/log' 'cp /usr/bin/true %{buildroot}/opt/app/run' \
	'cp /usr/bin/true %{buildroot}/opt/app/setuid' 'ln %{buildroot}/opt/app/run %{buildroot}/opt/app/linked' 'echo one >%{buildroot}/etc/app.conf' 'touch %{buildroot}/var/log/app.log' \
	'%pre' 'groupadd -r app; useradd -r -g app app' '%post' 'echo post >/opt/app/post; echo said >/var/log/said' '%triggerin -- bash' 'echo "$1 $2" >/opt/app/triggered' \
	'%files' '%caps(cap_net_raw,cap_net_bind_service=ep) /opt/app/run' '%caps(cap_net_raw,cap_net_bind_service=ep) /opt/app/linked' '%attr(4755,root,app) /opt/app/setuid' '%dir %attr(750,app,app) /opt/app' \
	'%config(noreplace) /etc/app.conf' '%ghost /var/log/app.log' || exit
app=$tmp/app-1-1.x86_64.rpm

build() { within 400 "$mkappliance" build "$tmp/$1.conf" -o "$tmp/out" --quiet "${@:2}"; }
# refused CODE TEXT LINE...: a template with these packages is refused so.
refused() {
	local code=$1 text=$2
	shift 2
	conf bad "$@" && fails_with "$code" "$text" build bad
}

# ---- what is in the image ----

conf app "Path=$app" "GPGKey=$distribution/key.asc"
check "an application on its base" build app || exit
root_of app
if in_root /usr/bin/true 2>"$tmp/log"; then
	# Nothing but the time of what has been clamped, what is not of the package (%ghost), and the directories that are mount points in a sandbox.
	verified() {
		local differs
		differs=$(in_root /usr/bin/rpm -V app filesystem setup glibc bash shadow-utils | grep -vE '^\.\.\.\.\.\.\.T\.|^.{9}  g |  /(dev|proc|sys)$|/etc/(passwd|group|shadow)$') || true
		[ -z "$differs" ] || {
			echo "$differs"
			return 1
		}
	}
	check "the image's own rpm finds its database, and every file as it should be" verified
	listed() { in_root /usr/bin/rpm -qa --qf '%{NAME}\n' | sort | tr '\n' ' ' | grep -x 'app base-libs bash coreutils filesystem glibc kernel-core rpm setup shadow-utils '; }
	check "dependencies are there, what is merely recommended is not" listed
	# shellcheck disable=SC2016 # for the inner shell
	scripts_ran() { in_root /usr/bin/bash -ec '[ "$(</opt/app/post)" = post ] && [ "$(</opt/app/triggered)" = "1 1" ] && [ ! -s /var/log/said ]'; }
	check "%post and %triggerin ran; what they logged is not kept" scripts_ran
	# shellcheck disable=SC2016 # for the inner shell
	account() { in_root /usr/bin/bash -ec '[ "$(stat -c %U:%a /opt/app)" = app:750 ] && [ "$(stat -c %G:%a /opt/app/setuid)" = app:4755 ] && [ /opt/app/run -ef /opt/app/linked ]'; }
	check "the account of %pre, its directory, a hard link" account
else
	check_skip "the image's own rpm: 4 checks" "its root cannot be mounted here: $(tail -n 1 "$tmp/log")"
fi
capability() { debugfs -R 'ea_list /opt/app/run' "$tmp/app.root" 2>/dev/null | grep -qF '= 01 00 00 02 00 24 00 00'; }
check "a file capability" capability
noted() {
	python3 - "$tmp/out/app-1.manifest.json" "$url" "$distribution/repository" <<-'EOF'
		import glob, hashlib, json, sys
		packages = {p["name"]: p for p in json.load(open(sys.argv[1]))["packages"]}
		bash = packages["bash"]
		assert bash["repository"] == sys.argv[2] and bash["vendor"] == "Small RPM distribution", bash
		file = glob.glob(sys.argv[3] + "/bash-*.rpm")[0]
		assert bash["sha256"] == hashlib.sha256(open(file, "rb").read()).hexdigest(), bash
		assert "repository" not in packages["app"] and len(packages["app"]["sha256"]) == 64, packages["app"]
	EOF
}
check "the manifest says where each package came from" noted
cp "$tmp/out/app-1.raw" "$tmp/first.raw"
# What a dnf that was killed leaves names a process of its own name space. Process 1 is here too, and it does not end.
again() {
	local metadata
	for metadata in "$XDG_CACHE_HOME"/mkappliance/dnf/*/; do echo 1 | tee "$metadata/metadata_lock.pid" >"$metadata/download_lock.pid" || return; done
	build app --refresh && cmp "$tmp/first.raw" "$tmp/out/app-1.raw"
}
check "all of it once more, where a dnf was killed before: the same bytes" again

# ---- without root ----

user=mka-rpm-$$
remove_user() { userdel "$user" 2>/dev/null; }
as_user() {
	setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups env -u TMPDIR XDG_CACHE_HOME="$tmp/home" HOME="$tmp/home" USER="$user" "$@"
}
plain() {
	install -d -m 755 "$tmp/bin" && install -m 755 "$mkappliance" "$(dirname "$mkappliance")/mkappliance-init" "$tmp/bin/" &&
		cp "$distribution/key.asc" "$tmp/" && sed "s|$distribution/key.asc|$tmp/key.asc|" "$tmp/app.conf" >"$tmp/plain.conf" &&
		chmod 644 "$tmp"/*.conf "$tmp"/*.rpm "$tmp/key.asc" &&
		within 400 as_user "$tmp/bin/mkappliance" build "$tmp/plain.conf" -o "$tmp/home" --quiet && cmp "$tmp/first.raw" "$tmp/home/app-1.raw"
}
if ! useradd --home-dir "$tmp/home" --shell /bin/bash "$user" 2>"$tmp/log"; then
	check_skip "a plain user gets the same bytes" "$(tail -n 1 "$tmp/log")"
else
	at_exit remove_user
	install -d -o "$user" "$tmp/home"
	if grep -q "^$user:" /etc/subuid && as_user unshare --user true 2>/dev/null; then
		check "a plain user gets the same bytes" plain
	else
		check_skip "a plain user gets the same bytes" "users may not make name spaces here, or have no subordinate ids"
	fi
fi

# ---- several packages ----

# One of them under a name that is a pattern, of which rpm would find nothing.
make_two() { simple two "$1" && mv "$tmp/two-1-1.x86_64.rpm" "$tmp/two [1].rpm"; }
two() { simple one one 'Requires: two' && make_two two && conf two "Path=$tmp/one-1-1.x86_64.rpm" "Path=$tmp/two [1].rpm" && build two; }
check "two packages that need each other; unsigned where no key is named" two
untouched() {
	"$mkappliance" build "$tmp/two.conf" -o "$tmp/out" 2>"$tmp/log" >/dev/null && ! grep -q Preparing "$tmp/log" &&
		make_two other && "$mkappliance" build "$tmp/two.conf" -o "$tmp/out" 2>"$tmp/log" >/dev/null && grep -q 'two-1-1' "$tmp/log" &&
		! grep -q 'bash-1-1' "$tmp/log"
}
check "when only an application changes its base is not installed again" untouched
weak() { more=tips conf weak && sed -i '/^Packages=/s/ tips//; /^Release=/aWeakDependencies=yes' "$tmp/weak.conf" && build weak && grep -q '"tips"' "$tmp/out/weak-1.manifest.json"; }
check "WeakDependencies=yes" weak

unchecked() { repository="small $url gpgcheck=no" conf unchecked "Path=$app" && build unchecked; }
check "gpgcheck=no, and a signature that nobody asked for" unchecked

# ---- packages of other tools ----

if command -v alien >/dev/null && command -v dpkg-deb >/dev/null; then
	aliens() {
		mkdir -p "$tmp/deb/DEBIAN" "$tmp/deb/opt" && echo alien >"$tmp/deb/opt/alien" &&
			printf 'Package: other\nVersion: 1\nArchitecture: amd64\nMaintainer: T <t@example.org>\nDescription: t\n' >"$tmp/deb/DEBIAN/control" &&
			dpkg-deb --build "$tmp/deb" "$tmp/other.deb" >/dev/null && (cd "$tmp" && alien --to-rpm --keep-version other.deb >/dev/null 2>&1) &&
			conf alien "Path=$(echo "$tmp"/other-1-*.rpm)" && build alien
	}
	check "a package made by alien" aliens
else
	check_skip "a package made by alien" "alien is not installed"
fi

# ---- refusals ----

bad=$tmp/bad-1-1.x86_64.rpm
cp "$app" "$bad" && printf X | dd of="$bad" bs=1 seek=$(($(stat -c %s "$app") - 500)) conv=notrunc status=none
check "a damaged package" refused 3 'mkappliance: bad-1-1.x86_64.rpm: is damaged' "Path=$bad"
head -c 3000 "$app" >"$bad"
check "a package that is cut off" refused 1 'dnf: bad-1-1.x86_64.rpm is damaged or cut off' "Path=$bad"
echo nothing >"$bad"
check "a file that is no package" refused 2 'is not an RPM' "Path=$bad"
simple unsigned unsigned
check "an unsigned package where a key is named" refused 3 'unsigned-1-1.x86_64.rpm: is not signed' "Path=$tmp/unsigned-1-1.x86_64.rpm" "GPGKey=$distribution/key.asc"
mkdir -m 700 "$tmp/gnupg"
stop_agent() { gpgconf --homedir "$tmp/gnupg" --kill all 2>/dev/null; }
at_exit stop_agent
gpg --homedir "$tmp/gnupg" --batch --quiet --pinentry-mode loopback --passphrase '' --quick-generate-key 'Foreign <foreign@example.org>' rsa2048 sign never 2>/dev/null
gpg --homedir "$tmp/gnupg" --batch --armor --export >"$tmp/foreign.asc"
sign=foreign@example.org gnupg=$tmp/gnupg simple foreign foreign
check "a package with a foreign signature" refused 3 'foreign-1-1.x86_64.rpm: is signed by a foreign key' "Path=$tmp/foreign-1-1.x86_64.rpm" "GPGKey=$distribution/key.asc"
repository="small $url gpgkey=$tmp/foreign.asc" check "a repository with a foreign signature" refused 3 'it must be signed by a key of Repository=small'
simple missing missing 'Requires: libnowhere.so.7'
check "a dependency that nobody has, and who needs it" refused 1 'nothing provides libnowhere.so.7 needed by missing-1-1.x86_64' "Path=$tmp/missing-1-1.x86_64.rpm"
simple left same && simple right same
check "two packages with the same file" refused 1 '/opt/same conflicts between attempted installs of' "Path=$tmp/left-1-1.x86_64.rpm" "Path=$tmp/right-1-1.x86_64.rpm"
rpm_of post '%description' t '%post' 'echo the reason; exit 3' '%files'
check "a %post that fails, which rpm only warns of" refused 1 '%post(post-1-1.x86_64) scriptlet failed, exit status 3: the reason' "Path=$tmp/post-1-1.x86_64.rpm"
rpm_of pre '%description' t '%pre' 'exit 4' '%files'
check "a %pre that fails" refused 1 'scriptlet failed, exit status 4' "Path=$tmp/pre-1-1.x86_64.rpm"
rpm_of lua '%description' t '%post -p <lua>' 'error("lua says no")' '%files'
check "a %post in Lua that fails, which is nothing to rpm" refused 1 '"%post(lua-1-1.x86_64)"]:1: lua says no' "Path=$tmp/lua-1-1.x86_64.rpm"
simple same same1 && cp "$tmp/same-1-1.x86_64.rpm" "$tmp/other.rpm" && simple same same2
check "two that are called the same" refused 1 'cannot install both same-1-1.x86_64 and same-1-1.x86_64' "Path=$tmp/other.rpm" "Path=$tmp/same-1-1.x86_64.rpm"
cp -r "$distribution/repository" "$tmp/altered" && printf X | dd of="$tmp/altered/bash-1-1.x86_64.rpm" bs=1 seek=10000 conv=notrunc status=none
repository="small $tmp/altered gpgkey=$distribution/key.asc" check "a package of a directory that is not what its metadata say" refused 3 \
	'"bash-1-1.x86_64" is not what the repository'"'"'s metadata say' "Path=$tmp/same-1-1.x86_64.rpm"
first=$server first_url=$url
rm "$tmp/port"
serve "$tmp/altered"
repository="small $url gpgkey=$distribution/key.asc" check "nor one of a server" refused 3 \
	'bash-1-1.x86_64.rpm is not what the repository'"'"'s metadata say' "Path=$tmp/same-1-1.x86_64.rpm"
stop_server
server=$first url=$first_url
more=nosuchpackage check "a package that is nowhere" refused 1 'nosuchpackage'
check "a cache where rpm would not find its files" fails_with 2 "with a '[' in its name; choose another one for the cache (--cache=)" build app --cache="$tmp/a[1]"
more=$app check "the file of a package among names" refused 2 "'$app' is the name of a file; say [Package] Path= for it"
on_nothing() {
	conf none "Path=$app" && sed -i '/^Release=/d; /^Repository=/d; /^Packages=/d; s/^Source=.*/Source=none\nSuite=x/' "$tmp/none.conf" &&
		printf '[Kernel]\nImage=/dev/null\n' >>"$tmp/none.conf" && sed -i "s|/dev/null|$tmp/kernel|; /^Suite/d" "$tmp/none.conf" && echo >"$tmp/kernel" &&
		sed -i 's/^Source=none/Source=directory\nPath=deb/' "$tmp/none.conf" && sed -i '/^\[Kernel\]/,$d' "$tmp/none.conf" &&
		mkdir -p "$tmp/deb/usr/lib/modules/1/kernel" && touch "$tmp/deb/usr/lib/modules/1/modules.dep" && echo k >"$tmp/deb/usr/lib/modules/1/vmlinuz" &&
		fails_with 2 'it needs [Base] Source=rpm' "$mkappliance" build "$tmp/none.conf" -o "$tmp/out" --quiet
}
check "an .rpm on a base that is not of RPMs" on_nothing

# ---- a full disk, and a build that is killed ----

full() {
	# shellcheck disable=SC2016 # for the inner shell
	unshare -m bash -uc 'mkdir -p "$1/full" && mount -t tmpfs -o size=48M none "$1/full" &&
		XDG_CACHE_HOME=$1/full "$2" build "$1/app.conf" -o "$1/out" --quiet 2>"$1/log"; [ $? -eq 1 ] && [ -z "$(ls -A "$1/full/mkappliance/work" 2>/dev/null)" ]' \
		- "$tmp" "$mkappliance" && grep -qiE 'space' "$tmp/log" && [ "$(wc -l <"$tmp/log")" -ge 1 ]
}
check "a full disk: said, and nothing left behind" full
# Its scriptlet sleeps a number of seconds that is this test's own.
killed() {
	local pid
	rpm_of slow '%description' t '%post' "echo \$\$; exec sleep 987.$$" '%files' && conf slow "Path=$tmp/slow-1-1.x86_64.rpm" || return
	"$mkappliance" build "$tmp/slow.conf" -o "$tmp/out" --quiet &
	pid=$!
	for ((i = 0; i < 600; i++)); do
		pgrep -f "^sleep 987\.$$\$" >/dev/null && break
		sleep 0.1
	done
	kill -9 $pid
	wait $pid 2>/dev/null
	for ((i = 0; i < 100; i++)); do
		pgrep -f "^sleep 987\.$$\$" >/dev/null || break
		sleep 0.1
	done
	! pgrep -f "^sleep 987\.$$\$" && ! grep -F "$tmp" /proc/mounts && build app --refresh && cmp "$tmp/first.raw" "$tmp/out/app-1.raw" &&
		[ -z "$(ls -A "$XDG_CACHE_HOME/mkappliance/work")" ]
}
check "killed in the middle: no process, no mount, and the next build cleans up" killed
