-- Moves the payload ARGV[2] of the dead letter ARGV[1] in KEYS[1] to the queue KEYS[2]. -> 1, or 0: no letter
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('RPUSH', KEYS[2], ARGV[2])
return 1
