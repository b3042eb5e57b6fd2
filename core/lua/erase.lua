-- Takes the messages ARGV[4...] out of the chat ARGV[3], also from under a worker: its lease ends, and what is left
-- is due again. An empty chat is forgotten altogether. -> how many went
local member, gone = ARGV[3], 0
for i = 4, #ARGV do gone = gone + redis.call('LREM', ITEMS .. member, 0, ARGV[i]) end

local left = redis.call('LLEN', ITEMS .. member)
if gone > 0 or left == 0 then redis.call('DEL', LOCK .. member) end
if left == 0 then
  forget(member)
  redis.call('LREM', PENDING, 0, member)
  redis.call('DEL', LAST .. member)
elseif gone > 0 then
  redis.call('ZADD', DEADLINES, NOW, member)
end
return gone
