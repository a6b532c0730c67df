-- Pours a call into all buckets, or into none.
-- KEYS: the buckets. ARGV, for each: capacity, drain per microsecond, pour.
-- Answers: 1 if it was poured, else 0; then the level of each bucket before the call.
-- A bucket is stored as "drops at", in whole numbers; it expires once it would be empty.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local answer, ats, fits = { 1 }, {}, true

for i, key in ipairs(KEYS) do
  local capacity, drain, pour = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local drops, at = string.match(redis.call('GET', key) or '0 0', '^(%d+) (%d+)$')
  drops, at = tonumber(drops), tonumber(at)
  drops = math.max(0, drops - math.max(0, now - at) * drain)
  fits = fits and drops + pour <= capacity
  answer[i + 1], ats[i] = drops, math.max(now, at)
end

if not fits then
  answer[1] = 0
  return answer
end

for i, key in ipairs(KEYS) do
  local drain, pour = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local drops = answer[i + 1] + pour
  local empties = math.ceil((drops / drain + ats[i] - now) / 1000) + 1
  redis.call('SET', key, string.format('%.0f %.0f', drops, ats[i]), 'PX', string.format('%.0f', empties))
end
return answer
