-- Gives the chat ARGV[3] (token ARGV[4]) back untouched, due at ARGV[5] and not before, whatever arrives.
-- ARGV[6]: when its first message came, so that the longest wait still counts from there; ARGV[7]: why it was
-- closed at once, or ''. -> 1 or 0 as ack
local member, token, due_at = ARGV[3], ARGV[4], tonumber(ARGV[5])
if redis.call('GET', LOCK .. member) ~= token then return 0 end

if due_at > NOW then
  redis.call('SET', LOCK .. member, '-' .. token, 'PX', due_at - NOW)
else
  redis.call('DEL', LOCK .. member)
end
redis.call('HSET', OPENED, member, ARGV[6])
if ARGV[7] ~= '' then redis.call('HSET', CLOSING, member, ARGV[7]) end
redis.call('ZADD', DEADLINES, due_at, member)
return 1
