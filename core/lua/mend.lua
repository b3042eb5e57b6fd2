-- Replaces the stuck head of the list KEYS[ARGV[3]], as far as it is still the same.
-- ARGV[4...]: raw, mended ('' when it cannot be read), letter id, letter; once for each message.
-- What the engine would refuse even when mended becomes a dead letter too. -> {ids of the letters}
local FIRST, EACH = 4, 4
local list = KEYS[tonumber(ARGV[3])]
local heads = redis.call('LRANGE', list, 0, (#ARGV - FIRST + 1) / EACH - 1)
local mended, buried = {}, {}

for i, head in ipairs(heads) do
  local at = FIRST + (i - 1) * EACH
  if head ~= ARGV[at] then break end
  if ARGV[at + 1] ~= '' and member_of(ARGV[at + 1]) then
    mended[#mended + 1] = ARGV[at + 1]
  else
    redis.call('HSET', DEAD, ARGV[at + 2], ARGV[at + 3])
    buried[#buried + 1] = ARGV[at + 2]
  end
end

redis.call('LTRIM', list, #mended + #buried, -1)
for i = #mended, 1, -1 do redis.call('LPUSH', list, mended[i]) end
return buried
