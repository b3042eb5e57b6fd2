-- Puts ARGV[3] in the place of the dead letter ARGV[1] of KEYS[1], whose hash was ARGV[2] when it was read.
-- -> 1, or 0 when the letter is gone or another one by now
local letter = redis.call('HGET', KEYS[1], ARGV[1])
if not letter or redis.sha1hex(letter) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
