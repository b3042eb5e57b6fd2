-- Leases the chat ARGV[3] now, due or not. -> the lease, or false when it is empty or in work
local member = ARGV[3]
local lock = redis.call('GET', LOCK .. member)
if lock and not is_hold(lock) then return false end
if redis.call('EXISTS', ITEMS .. member) == 0 then return false end
return lease(member, NOW)
