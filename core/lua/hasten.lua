-- Makes the chat ARGV[3] due now, also when a retry holds it back. -> 0 when it is empty or in work
local member = ARGV[3]
local lock = redis.call('GET', LOCK .. member)
if (lock and not is_hold(lock)) or redis.call('EXISTS', ITEMS .. member) == 0 then return 0 end
redis.call('DEL', LOCK .. member)
redis.call('ZADD', DEADLINES, NOW, member)
return 1
