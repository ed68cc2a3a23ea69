-- SPDX-License-Identifier: Apache-2.0
-- For wrk with one thread: asks at a human pace, and writes down which version of templates/hello answered each request, or what else was said.
--   PAGES=FILE wrk -t1 -c4 -d600s -s tests/integration/pages.lua URL
local file = assert(io.open(os.getenv("PAGES"), "a"))
file:setvbuf("line")

function delay()
	return 25 -- ms, each connection
end

function response(status, _, body)
	local version = status == 200 and body:match("^hello from hello ([%w.]+)\n")
	file:write(version or (status .. ": " .. body:gsub("%s+", " "):sub(1, 100)), "\n")
end
