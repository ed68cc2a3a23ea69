# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2034 # $tmp is set by functions.sh; $url is for the tests
#
# A directory over HTTP. To be sourced behind functions.sh.

# serve DIR: over HTTP on the loopback until the test ends; sets $url.
serve() {
	python3 -c 'import functools, http.server, sys
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
print(server.server_address[1], flush=True)
server.serve_forever()' "$1" >"$tmp/port" 2>/dev/null &
	server=$!
	at_exit stop_server
	comes test -s "$tmp/port"
	url=http://127.0.0.1:$(cat "$tmp/port")/
}
stop_server() { kill "$server" 2>/dev/null; }
