-- Puts right what was spent of each account, in the slot in which it was spent, if that still counts.
-- KEYS: the accounts. ARGV, for each: the slot, what was spent, what it should have been.
for i, key in ipairs(KEYS) do
  local slot, spent, actual = ARGV[3 * i - 2], tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  if redis.call('HEXISTS', key, slot) == 1 then
    redis.call('HINCRBY', key, slot, string.format('%.0f', actual - spent))
  end
end
return {}
