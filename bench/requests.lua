-- Sends the requests of a file in order, repeatedly, and counts the statuses of the responses.
--
--     wrk … -s requests.lua URL -- FILE NUMBER
--
-- A line of FILE is: method, path, entity tag for If-None-Match, body; separated by tabs, possibly empty.
-- In a body, {n} is replaced by a number that grows with each request, from NUMBER on, so that no two writes are equal.

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

local lines, position, number = {}, 0, 0
counts = {}

function init(arguments)
  number = tonumber(arguments[2])
  for line in io.lines(arguments[1]) do
    local method, path, tag, body = line:match("^([^\t]*)\t([^\t]*)\t([^\t]*)\t(.*)$")
    local headers = {}
    for name, value in pairs(wrk.headers) do headers[name] = value end
    if tag ~= "" then headers["If-None-Match"] = tag end
    if body ~= "" then headers["Content-Type"] = "application/json" end
    if body:find("{n}", 1, true) then
      table.insert(lines, function()
        number = number + 1
        return wrk.format(method, path, headers, (body:gsub("{n}", number)))
      end)
    else
      local whole = wrk.format(method, path, headers, body ~= "" and body or nil)
      table.insert(lines, function() return whole end)
    end
  end
end

function request()
  position = position % #lines + 1
  return lines[position]()
end

-- Lookups are counted with their source, from Cache-Status: "200 hit", "200 miss".
function response(status, headers)
  local from = headers["cache-status"]
  local what = status
  if from then
    what = status .. (from:find("; hit", 1, true) and " hit" or from:find("fwd=miss", 1, true) and " miss" or " bypass")
  end
  counts[what] = (counts[what] or 0) + 1
end

-- bench/load.py reads the last line of the output.
function done(summary, latency)
  local counted = {}
  for _, thread in ipairs(threads) do
    for what, times in pairs(thread:get("counts")) do
      table.insert(counted, string.format("%q: %d", what, times))
    end
  end
  local failed = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  print(string.format(
    '{"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "failed": %d, "responses": {%s}}',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    failed, table.concat(counted, ", ")
  ))
end
