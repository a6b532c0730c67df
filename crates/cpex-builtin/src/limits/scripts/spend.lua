-- Spends an amount of all accounts, or of none.
-- KEYS: the accounts. ARGV: the amount; then for each: hard limit (0: none) plus one, width of a slot in
-- microseconds, and, if that is 0, the beginnings of four periods: the second is the host's.
-- Answers: 1 if it was spent, else 0; the server's time; then for each account the current slot, how many slots
-- follow, and each as slot and amount.
-- An account is a hash from slot to amount; it expires once none of its slots counts.
local SLOTS = 10
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local amount = tonumber(ARGV[1])
local answer, spent_in, lives, forgotten, fits = { 1, now }, {}, {}, {}, true

for i, key in ipairs(KEYS) do
  local arg = {}
  for j = 1, 6 do
    arg[j] = tonumber(ARGV[6 * i - 5 + j])
  end
  local hard, width = arg[1] - 1, arg[2]
  local oldest, current, ends
  if width > 0 then
    current = math.floor(now / width)
    oldest = current - SLOTS
    ends = (current + SLOTS + 1) * width
  else
    for j = 3, 5 do
      if arg[j] <= now and now < arg[j + 1] then
        oldest, current, ends = arg[j], arg[j], arg[j + 1]
      end
    end
    if not current then
      return redis.error_reply('CLOCK host and server disagree by a whole period')
    end
  end

  local sum, slots, over = 0, {}, {}
  local fields = redis.call('HGETALL', key)
  for j = 1, #fields, 2 do
    local slot, spent = tonumber(fields[j]), tonumber(fields[j + 1])
    if slot >= oldest then
      sum = sum + spent
      slots[#slots + 1], slots[#slots + 2] = slot, spent
    else
      over[#over + 1] = fields[j]
    end
  end
  forgotten[i] = over
  fits = fits and (hard < 0 or sum + amount <= hard)
  spent_in[i], lives[i] = string.format('%.0f', current), string.format('%.0f', math.ceil((ends - now) / 1000) + 1)
  answer[#answer + 1], answer[#answer + 2] = current, #slots / 2
  for _, number in ipairs(slots) do
    answer[#answer + 1] = number
  end
end

if not fits then
  answer[1] = 0
  return answer
end

for i, key in ipairs(KEYS) do
  if #forgotten[i] > 0 then
    redis.call('HDEL', key, unpack(forgotten[i]))
  end
  redis.call('HINCRBY', key, spent_in[i], ARGV[1])
  redis.call('PEXPIRE', key, lives[i])
end
return answer
