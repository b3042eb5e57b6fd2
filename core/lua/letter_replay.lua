-- Moves the dead letter ARGV[1], whose hash was ARGV[2] when it was read, from KEYS[1] to KEYS[2] as ARGV[3]; its
-- payload ARGV[4], when it has one to send, goes to the queue KEYS[3] in the same step.
-- -> 1, or 0 when the letter is gone, was replayed, or is another one by now
local letter = redis.call('HGET', KEYS[1], ARGV[1])
if not letter or redis.sha1hex(letter) ~= ARGV[2] then return 0 end
if ARGV[4] then redis.call('RPUSH', KEYS[3], ARGV[4]) end -- first: an error here must leave the letter waiting
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
redis.call('HDEL', KEYS[1], ARGV[1])
return 1
