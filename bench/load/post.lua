-- POSTs JSON strings: always the same one, or one of LOAD_KEYS page names in a fixed random order.
-- The settings come from the environment, because an argument list is public on the machine and
-- one of them is a token. At the end the summary is one line of JSON for `wrk.ts`.

local keys = tonumber(os.getenv("LOAD_KEYS"))
local authorization = os.getenv("LOAD_AUTHORIZATION")
local requests = {}

function init()
  local headers = { ["Content-Type"] = "application/json" }
  if authorization then headers["Authorization"] = authorization end
  for key = 1, keys do
    requests[key] = wrk.format("POST", nil, headers, '"' .. os.getenv("LOAD_BODY") .. key .. '"')
  end
  math.randomseed(20260101)
end

function request()
  if keys == 1 then return requests[1] end
  return requests[math.random(keys)]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'summary {"requests":%d,"durationUs":%d,"statusErrors":%d,"socketErrors":%d,' ..
    '"p50Us":%d,"p99Us":%d,"maxUs":%d}\n',
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99), latency.max
  ))
end
