-- Removes the first ARGV[5] messages of the chat ARGV[3], whose lease has the token ARGV[4].
-- ARGV[6]: '1' keeps the lease. ARGV[7...]: dead letters, id and letter. -> 1, or 0 when the lease is lost
local member, count = ARGV[3], tonumber(ARGV[5])
if redis.call('GET', LOCK .. member) ~= ARGV[4] then return 0 end

redis.call('LTRIM', ITEMS .. member, count, -1)
for i = 7, #ARGV, 2 do redis.call('HSET', DEAD, ARGV[i], ARGV[i + 1]) end
if ARGV[6] == '1' then
  renew(member)
  return 1
end

redis.call('DEL', LOCK .. member)
local left = redis.call('LLEN', ITEMS .. member)
if left == 0 then
  forget(member)
else
  redis.call('ZADD', DEADLINES, due_at(member, left), member)
end
return 1
