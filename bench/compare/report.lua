-- Tells wrk what to post, if anything, and makes it print its figures as one line of JSON.
local body = os.getenv("BENCH_BODY")
if body then
  local file = assert(io.open(body, "rb"))
  wrk.method = "POST"
  wrk.body = file:read("*a")
  wrk.headers["content-type"] = os.getenv("BENCH_CONTENT_TYPE")
  file:close()
end

-- wrk takes every status above 399 for an error. Where such a one is what must come, each answer is
-- looked at, which costs the load a little time and the server none.
local expected = tonumber(os.getenv("BENCH_STATUS") or "200")
local loaders = {}
function setup(thread)
  table.insert(loaders, thread)
end

if expected ~= 200 then
  wrong = 0
  function response(status)
    if status ~= expected then
      wrong = wrong + 1
    end
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  local bad = errors.status
  if expected ~= 200 then
    bad = 0
    for _, thread in ipairs(loaders) do
      bad = bad + thread:get("wrong")
    end
  end
  io.write(string.format(
    '\n{"requests": %d, "microseconds": %d, "p50_us": %.1f, "p99_us": %.1f, "bad_status": %d, "broken": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    bad, errors.connect + errors.read + errors.write + errors.timeout))
end
