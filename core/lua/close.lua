-- Leases the chat ARGV[3] now, due or not, also when a retry holds it back.
-- -> the lease, or false when it is empty or in work
local member = ARGV[3]
if is_hold(redis.call('GET', LOCK .. member)) then redis.call('DEL', LOCK .. member) end
return lease(member, NOW)
