#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Snapshot= and Keyring= of Source=debian: a server on the loopback stands for one that keeps old packages. It answers below
# /archive/debian/TIMESTAMP/ with the archive that this machine installs from, and writes down the timestamps it was asked for.
# Takes: 60 s
. "$(dirname "$0")/functions.sh"
. tests/integration/archive.sh
. tests/integration/synthetic.sh
requires python3
requires mmdebstrap
requires gpg gnupg
[ "$(id -u)" -eq 0 ] || skip "needs root (a user would need subordinate ids)"
archive=$(debian_archive) || skip "apt knows no Debian archive"
keys=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r $keys ] || skip "no $keys (apt-get install debian-archive-keyring)"

export XDG_CACHE_HOME=$tmp/cache
synthetic_inputs "$tmp/in"
export MKAPPLIANCE_INIT=$tmp/in/init
stamp=20240131T120000Z

cat >"$tmp/server.py" <<'PY'
import http.server, re, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        m = re.fullmatch(r"/archive/debian/([0-9TZ]+)/(.*)", self.path)
        with open(sys.argv[2], "a") as f:
            f.write((m[1] if m else "?" + self.path) + "\n")
        self.send_response(302 if m else 404)
        if m:
            self.send_header("Location", sys.argv[1] + "/" + m[2])
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(sys.argv[3], "w") as f:
    f.write(f"{server.server_address[1]}\n")
server.serve_forever()
PY
python3 "$tmp/server.py" "$archive" "$tmp/asked" "$tmp/port" &
server=$!
stop_server() { kill $server 2>/dev/null; }
at_exit stop_server
comes test -s "$tmp/port"

# with KEYRING: the template with Debian's essential packages at that time, and those keys.
with() {
	sed -e "s|^Source=.*|Source=debian\nSuite=bookworm\nSnapshot=$stamp\nMirror=http://127.0.0.1:$(cat "$tmp/port")/archive/debian/@SNAPSHOT@\n${1:+Keyring=$1}|" \
		-e '/^Path=/d' -e '/^\[Files\]/,/^$/d' -e '/^User=/d' -e 's|^Exec=.*|Exec=/usr/bin/env|' "$tmp/in/appliance.conf" >"$tmp/in/debian.conf"
}
root_hash() { json_get "$tmp/$1/synthetic-1.0.manifest.json" verity.root_hash; }
build() { "$mkappliance" build "$tmp/in/debian.conf" -o "$tmp/$1" --quiet; }

snapshot() { with "" && build first && sort -u "$tmp/asked" && [ "$(sort -u "$tmp/asked")" = $stamp ]; }
check "Snapshot= asks for that time and nothing else" snapshot || exit

right_keys() { cp $keys "$tmp/in/keys.gpg" && with keys.gpg && build second && [ "$(root_hash first)" = "$(root_hash second)" ]; }
check "Keyring= with the right keys: the same root" right_keys

foreign_keys() {
	mkdir -m 700 "$tmp/gnupg" && gpg --homedir "$tmp/gnupg" --batch --quiet --passphrase '' --quick-gen-key test@example.org ed25519 &&
		gpg --homedir "$tmp/gnupg" --export >"$tmp/in/foreign.gpg" && gpgconf --homedir "$tmp/gnupg" --kill all && with foreign.gpg &&
		fails_with 1 'is not signed. Keyring= has no key that signed it: name the file' build third && [ ! -e "$tmp/third/synthetic-1.0.raw" ]
}
check "Keyring= with foreign keys is refused" foreign_keys
