-- The dead letters ARGV[...] of KEYS[1] without their payloads, which may be many megabytes.
-- -> for each {what stands before the payload, length of the whole letter}, or false when it is gone
local heads = {}
for i, id in ipairs(ARGV) do
  local letter = redis.call('HGET', KEYS[1], id)
  -- Quotes inside the strings before it are escaped: the first match is the field itself.
  local ends = letter and string.find(letter, ',"payload":', 1, true)
  heads[i] = letter and { string.sub(letter, 1, (ends or #letter + 1) - 1), #letter }
end
return heads
