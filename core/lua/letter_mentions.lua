-- Which of the dead letters ARGV[2 + words ...] of KEYS[1] hold every one of the ARGV[1] words that follow it, each
-- standing alone: no letter or digit before or after it. Letters over a megabyte are not looked into.
-- -> {their places among the ids, from 1}
local count, largest = tonumber(ARGV[1]), 1024 * 1024

local function holds(text, word)
  local from = 1
  while true do
    local first, last = string.find(text, word, from, true)
    if not first then return false end
    if not string.find(text, '^%w', last + 1) and not string.find(string.sub(text, first - 1, first - 1), '^%w') then
      return true
    end
    from = first + 1
  end
end

local found = {}
for place = count + 2, #ARGV do
  local letter = redis.call('HSTRLEN', KEYS[1], ARGV[place]) <= largest and redis.call('HGET', KEYS[1], ARGV[place])
  local all = letter
  for i = 2, count + 1 do all = all and holds(letter, ARGV[i]) end
  if all then found[#found + 1] = place - count - 1 end
end
return found
