# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2034 # variables of functions.sh, and for the test
#
# Debian's own Keystone and Glance, with everything they keep in $tmp. After functions.sh:
#
#   . "$(dirname "$0")/openstack_server.sh"
#   openstack_start      sets os_url (Keystone's) and image_url, and OS_* of the administrator
#   os_ask METHOD URL [JSON], os_field PATH: the administrator asks Keystone and Glance

os_pids=()
openstack_stop() {
	[ ${#os_pids[@]} -eq 0 ] || { kill -9 "${os_pids[@]}" && wait "${os_pids[@]}"; } 2>/dev/null
	os_pids=()
}
at_exit openstack_stop

wait_for() {
	local i
	for ((i = 0; i < 600; i++)); do
		curl -s -o /dev/null --noproxy '*' "$1" && return
		sleep 0.1
	done
	return 1
}

# one_writer DATABASE: who reads does not lock out who writes, for good.
one_writer() {
	python3 -c 'import sqlite3, sys; assert sqlite3.connect(sys.argv[1]).execute("PRAGMA journal_mode=WAL").fetchone() == ("wal",)' "$1"
}

keystone_start() {
	mkdir -p "$os_dir/fernet" "$os_dir/credential"
	cat >"$os_dir/keystone.conf" <<-END
		[DEFAULT]
		use_stderr = true
		[database]
		connection = sqlite:///$os_dir/keystone.db?timeout=60
		[fernet_tokens]
		key_repository = $os_dir/fernet
		[credential]
		key_repository = $os_dir/credential
		[cache]
		enabled = false
	END
	local manage=(keystone-manage --config-file "$os_dir/keystone.conf") as
	as=(--keystone-user "$(id -un)" --keystone-group "$(id -gn)")
	"${manage[@]}" db_sync && one_writer "$os_dir/keystone.db" && "${manage[@]}" fernet_setup "${as[@]}" && "${manage[@]}" credential_setup "${as[@]}" &&
		"${manage[@]}" bootstrap --bootstrap-password secret --bootstrap-public-url "$os_url/v3" --bootstrap-internal-url "$os_url/v3" --bootstrap-region-id RegionOne || return
	OS_KEYSTONE_CONFIG_DIR=$os_dir OS_KEYSTONE_CONFIG_FILES=$os_dir/keystone.conf \
		keystone-wsgi-public --host 127.0.0.1 --port "$1" >"$os_dir/keystone.log" 2>&1 &
	os_pids+=($!)
	wait_for "$os_url/v3"
}

glance_start() {
	cat >"$os_dir/glance.conf" <<-END
		[DEFAULT]
		bind_host = 127.0.0.1
		bind_port = $1
		workers = 0
		use_stderr = true
		enabled_backends = disk:file
		[glance_store]
		default_backend = disk
		[disk]
		filesystem_store_datadir = $os_dir/images
		[os_glance_staging_store]
		filesystem_store_datadir = $os_dir/staging
		[os_glance_tasks_store]
		filesystem_store_datadir = $os_dir/tasks
		[database]
		connection = sqlite:///$os_dir/glance.db?timeout=60
		[keystone_authtoken]
		www_authenticate_uri = $os_url
		auth_url = $os_url
		auth_type = password
		username = admin
		password = secret
		project_name = admin
		user_domain_id = default
		project_domain_id = default
		[paste_deploy]
		flavor = keystone
		config_file = /etc/glance/glance-api-paste.ini
	END
	glance-manage --config-file "$os_dir/glance.conf" db_sync && one_writer "$os_dir/glance.db" || return
	glance-api --config-file "$os_dir/glance.conf" >"$os_dir/glance.log" 2>&1 &
	os_pids+=($!)
	wait_for "$image_url/"
}

# os_token USER PASSWORD PROJECT: a token, for curl
os_token() {
	curl -s -i --noproxy '*' -H 'Content-Type: application/json' "$os_url/v3/auth/tokens" -d '{"auth": {
		"identity": {"methods": ["password"], "password": {"user": {"name": "'"$1"'", "domain": {"id": "default"}, "password": "'"$2"'"}}},
		"scope": {"project": {"name": "'"$3"'", "domain": {"id": "default"}}}}}' | tr -d '\r' | sed -n 's/^x-subject-token: //Ip'
}

# os_ask METHOD URL [JSON]: the administrator asks; the answer's body. On a busy machine Keystone's SQLite is locked now and then: 500.
os_ask() {
	curl -sS --retry 3 --noproxy '*' --fail-with-body -X "$1" -H "X-Auth-Token: $os_admin" -H 'Content-Type: application/json' ${3:+-d "$3"} "$2"
}

# os_field PATH: a member of the JSON on standard input
os_field() {
	cat >"$tmp/field.json" && json_get "$tmp/field.json" "$1"
}

# Endpoint of the image service in the catalog, and a second user with a project of his own.
catalog_add() {
	local service user role
	os_admin=$(os_token admin secret admin) && [ -n "$os_admin" ] &&
		service=$(os_ask POST "$os_url/v3/services" '{"service": {"type": "image", "name": "glance"}}' | os_field service.id) &&
		os_ask POST "$os_url/v3/endpoints" '{"endpoint": {"interface": "public", "region_id": "RegionOne", "service_id": "'"$service"'", "url": "'"$image_url"'"}}' &&
		os_other=$(os_ask POST "$os_url/v3/projects" '{"project": {"name": "other", "domain_id": "default"}}' | os_field project.id) &&
		user=$(os_ask POST "$os_url/v3/users" '{"user": {"name": "builder", "domain_id": "default", "password": "other-secret"}}' | os_field user.id) &&
		role=$(os_ask GET "$os_url/v3/roles?name=member" | os_field roles.0.id) &&
		os_ask PUT "$os_url/v3/projects/$os_other/users/$user/roles/$role"
}

openstack_start() {
	local keystone_port glance_port
	os_dir=$tmp/openstack
	keystone_port=$(free_port) glance_port=$(free_port)
	os_url=http://127.0.0.1:$keystone_port image_url=http://127.0.0.1:$glance_port
	export no_proxy=127.0.0.1 OS_AUTH_URL=$os_url/v3 OS_USERNAME=admin OS_PASSWORD=secret OS_PROJECT_NAME=admin
	export OS_USER_DOMAIN_NAME=Default OS_PROJECT_DOMAIN_NAME=Default OS_IDENTITY_API_VERSION=3
	unset OS_CLOUD
	mkdir -p "$os_dir/images"
	{
		keystone_start "$keystone_port" && glance_start "$glance_port" && catalog_add
	} >"$os_dir/start.log" 2>&1 || {
		tail -n 15 "$os_dir/start.log"
		tail -n 15 "$os_dir/keystone.log"
		return 1
	}
}
