-- Takes a pending send (fingerprint ARGV[1] in the hash KEYS[1]) off, unless the echo of message ARGV[2]
-- has already used it up. ARGV[2] is '' when nothing was sent.
if ARGV[2] ~= '' and redis.call('HDEL', KEYS[1], 'echo:' .. ARGV[2]) == 1 then return 0 end
local pending = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or 0)
if pending > 1 then
  redis.call('HINCRBY', KEYS[1], ARGV[1], -1)
else
  redis.call('HDEL', KEYS[1], ARGV[1])
end
return 1
