-- Writes into the record KEYS[1] of a send, if the lease ARGV[1] is still its own. ARGV[2] TTL ms;
-- then field, value pairs. -> 1, or 0 when another attempt has taken over and nothing was written
if redis.call('HGET', KEYS[1], 'lease') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
